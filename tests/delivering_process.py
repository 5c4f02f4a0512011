"""A program that delivers numbered detections, to be killed: FOLDER KIND LAST.

Its store is an SQLite file that keeps the cursor; detections come a few at a time. What it says of
itself goes to standard error.
"""

import sqlite3
import sys
from pathlib import Path

from detections import detection

from edge.delivery import Cursor, Delivery
from edge.sinks.csv import CsvSpec
from edge.sinks.jsonl import JsonlSpec
from edge.sinks.stdout import StdoutSpec
from edge.table.context import Station


def main(folder: Path, kind: str, last: int) -> None:
    store = sqlite3.connect(folder / "store.db", isolation_level=None)
    store.execute("PRAGMA journal_mode=WAL")
    store.execute("CREATE TABLE IF NOT EXISTS cursor (number INTEGER, position TEXT)")
    kept = store.execute("SELECT number, position FROM cursor").fetchone() or (0, "")
    path = f"found.{kind}"
    spec = {
        "csv": CsvSpec(path=path),
        "jsonl": JsonlSpec(path=path),
        "stdout": StdoutSpec(),
    }[kind]
    committed = kept[0]

    def read(after: int, limit: int):
        return [detection(n) for n in range(after + 1, min(after + limit, committed) + 1)]

    def save(cursor: Cursor) -> None:
        store.execute("BEGIN")
        store.execute("DELETE FROM cursor")
        store.execute("INSERT INTO cursor VALUES (?, ?)", cursor)
        store.execute("COMMIT")

    sink = spec.build(Station(), folder=folder, position=kept[1])
    delivery = Delivery(kind, sink, read, cursor=Cursor(*kept), batch=7)
    print("ready", file=sys.stderr, flush=True)
    while committed < last:
        committed = min(committed + 3, last)
        delivery.notify(committed)
        if (cursor := delivery.take_cursor()) is not None:
            save(cursor)
            delivery.saved(cursor)
    ended = delivery.close(60, save)
    said = f"ended {ended} {delivery.delivered} {delivery.waiting}"
    print(said, trouble.what if (trouble := delivery.trouble) else "", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
