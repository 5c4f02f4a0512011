"""Print the performance budgets as ratios within one run.

Usage: cd tests && python -m benchmarks [--quick] [ROW ...]

Each figure of `edge-batch` compares two whole commands, imports and model loading included, run in
turn on one core, and is the median of the ratios of each pair. Those of the daemon are of one
process on one core, seen from another core. Nothing here asserts: the reader judges.
"""

import argparse
import os
import platform
import sys

from benchmarks import figures
from benchmarks.material import Material
from benchmarks.table import heading


def main() -> int:
    """Run the rows asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(figures.ROWS)}")
    parser.add_argument("--quick", action="store_true", help="few files, one pair: a smoke test")
    options = parser.parse_args()
    unknown = set(options.rows) - set(figures.ROWS)
    if unknown:
        parser.error(
            f"no row called {', '.join(sorted(unknown))}; there are {', '.join(figures.ROWS)}"
        )
    wanted = [("field", "none"), ("field", "standard"), ("synthetic", "standard")]
    made = [Material.make(*sort, quick=options.quick) for sort in wanted]
    materials = [material for material in made if material is not None]
    if len(materials) < len(wanted):
        print("field recordings: left out, there is no real audio here; set EDGE_TEST_DATA")
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.machine()}, {cores} cores, Python {sys.version.split()[0]}")
    print(heading())
    for row in options.rows or figures.ROWS:
        # Only the search for the nearest centroid depends on what is heard.
        for material in materials if row == "stsg" else materials[:1]:
            figures.ROWS[row](material)
    return 0


if __name__ == "__main__":
    sys.exit(main())
