"""`python -m edge.batch`."""

import sys

from edge.batch.cli import main

if __name__ == "__main__":
    sys.exit(main())
