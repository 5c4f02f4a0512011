"""A process that fills a store: some files, and a live stream beside them; it may be killed."""

import sys
import time
from pathlib import Path

from entries_for_tests import WINDOW, done, file_done, heard, is_known, now, opened

from edge.errors import ConfigError
from edge.store.entries import WindowsDone
from edge.store.store import Store


def fill(path: Path, files: int, pause_s: float) -> None:
    """Write the files that are not known yet, each beside a window of a live stream."""
    with Store.open(path, now=now) as store:
        print("open", flush=True)
        stream = store.next_stream()
        store.write([opened(stream), WindowsDone(stream, WINDOW // 2, ())])
        window = 0
        for number in range(files):
            entry = file_done(number)
            if is_known(store, entry):
                continue
            assert store.known_content(entry.sha256) is None
            live = heard(window, "live") if number % 3 == 0 else None
            entries = [done(stream, window, *([live] if live else []), in_flight=WINDOW // 3)]
            store.write([*entries, entry])
            window += 1
            time.sleep(pause_s)
        store.write([WindowsDone(stream, store_received(window), ())])
        print("done", flush=True)


def store_received(window: int) -> int:
    """Samples of the live stream after so many windows."""
    return window * WINDOW + WINDOW // 2


if __name__ == "__main__":
    try:
        fill(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    except ConfigError as error:
        sys.exit(str(error))
