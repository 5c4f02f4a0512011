"""edge: hears wildlife on a CPU, in a stream or in bulk."""

__version__ = "0.1.0"
