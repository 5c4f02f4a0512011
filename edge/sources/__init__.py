"""Where sound comes in: one module for each kind of source."""
