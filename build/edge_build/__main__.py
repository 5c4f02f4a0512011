"""Lets `python -m edge_build` be `edge-build`."""

import sys

from edge_build.cli import main

if __name__ == "__main__":
    sys.exit(main())
