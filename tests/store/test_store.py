"""What is written is there, whole, counted and in order."""

from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest
from entries_for_tests import (
    MODEL,
    RATE,
    START,
    WINDOW,
    done,
    file_done,
    heard,
    is_known,
    now,
    opened,
    window_range,
)

from edge.contracts import Detection, WindowState
from edge.errors import ConfigError
from edge.store.accounting import merged
from edge.store.entries import (
    Anchored,
    FaultEnded,
    FaultSeen,
    FileDone,
    FileState,
    ModelChanged,
    WindowsDone,
)
from edge.store.reader import StoreReader
from edge.store.rows import ENDED_EARLY
from edge.store.store import Store


@pytest.fixture
def path(tmp_path):
    """Where a store is to be."""
    return tmp_path / "edge.db"


def ranges(path):
    """Every range in a store, without its stream."""
    with StoreReader(path) as reader:
        return [one.range for one in reader.ranges()]


def test_windows_of_one_fate_are_one_range(path):
    """Neighbours with the same state, reason and model are kept as one; others apart."""
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0), done(stream, 1)])
        store.write([done(stream, 2, state=WindowState.FAILED, reason="NaN")])
        store.write([done(stream, 3), done(stream, 4)])
    expected = [
        window_range(0, count=2),
        window_range(2, state=WindowState.FAILED, reason="NaN"),
        window_range(3, count=2),
    ]
    assert expected == ranges(path)


def test_a_live_detection_says_all_that_places_it(path):
    """It bears its source's name, its times, where the time is from, label and model."""
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0), done(stream, 1, heard(1, confidence=0.5))])
    at = START + timedelta(seconds=5)
    expected = Detection(
        1, "microphone", "microphone", 5.0, 10.0, at, "clock", "Turdus merula", 0.5, MODEL
    )
    with StoreReader(path) as reader:
        assert [expected] == list(reader.detections())


def test_a_file_s_detection_bears_its_path(path):
    """The stream of a file's detection is the file."""
    entry = replace(file_done(1), heard=(heard(3),))
    with Store.open(path, now=now) as store:
        store.write([entry])
    with StoreReader(path) as reader:
        (found,) = reader.detections()
        (file,) = reader.files()
    assert (entry.source, entry.path, "name") == (found.source, found.stream, found.time_source)
    assert (entry.sha256, entry.started_at, START) == (file.sha256, file.started_at, file.done_at)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (lambda n: done(n, 2), "leave a hole"),
        (lambda n: done(n, 0), "overlap"),
        (lambda n: done(n + 1, 1), "is not open"),
        (lambda n: WindowsDone(n, WINDOW, (window_range(1),)), "are accounted for"),
        (lambda n: WindowsDone(n, 0, ()), "samples received, after"),
        (lambda n: done(n, 1, received=WINDOW + 1), "no such range"),
        (lambda n: done(n, 1, heard(1, confidence=float("nan"))), "no such detection"),
        (lambda n: done(n, 1, replace(heard(1), at=START.replace(tzinfo=None))), "zone"),
        (opened, "was opened before"),
        (lambda n: opened(99), "never given"),
        (lambda n: replace(file_done(1), samples=WINDOW), "are accounted for"),
        (lambda n: replace(file_done(1), sha256="ab"), "no SHA-256"),
        (lambda n: replace(file_done(1), fingerprint="ab"), "no fingerprint"),
        (lambda n: Anchored(n + 1, 0, START, "step"), "is not open"),
        (lambda n: FaultEnded("card", START.replace(tzinfo=None)), "zone"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_of_that_call_is_kept(path, entry, message):
    """An entry that breaks the account raises, and leaves the store as it was."""
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0)])
        with pytest.raises(ValueError, match=message):
            store.write([file_done(7), entry(stream)])
        store.write([done(stream, 1)])
    assert [window_range(0, count=2)] == ranges(path)


def test_known_files_are_known_after_a_restart(path):
    """A file is known by path, size, time and fingerprint together, and by its content."""
    entry = file_done(5)
    for _ in range(2):
        with Store.open(path, now=now) as store:
            if not is_known(store, entry):
                store.write([entry])
            assert is_known(store, entry)
            assert not is_known(store, replace(entry, path="/card/other.wav"))
            assert not is_known(store, replace(entry, size=entry.size + 1))
            assert not is_known(store, replace(entry, mtime_ns=entry.mtime_ns + 1))
            assert not is_known(store, replace(entry, fingerprint="0" * 16))
            assert entry.path == store.known_content(entry.sha256)
            assert store.known_content("0" * 64) is None
    with StoreReader(path) as reader:
        assert len(list(reader.files())) == 1


def two_cards():
    """Recordings of two cards that agree in path, size and time, and nothing else."""
    other = file_done(6)
    first = file_done(5)
    return first, replace(other, path=first.path, size=first.size, mtime_ns=first.mtime_ns)


def test_recordings_of_two_cards_with_one_name_are_both_kept_and_known(path):
    """Each has its row, its windows and detections; a third one of that name is not known."""
    cards = two_cards()
    with Store.open(path, now=now) as store:
        for entry in cards:
            assert not is_known(store, entry)
            store.write([entry])
        assert [is_known(store, entry) for entry in cards] == [True, True]
        assert not is_known(store, replace(cards[0], fingerprint=""))
        assert [store.known_content(entry.sha256) for entry in cards] == [cards[0].path] * 2
    with StoreReader(path) as reader:
        assert [entry.sha256 for entry in cards] == [file.sha256 for file in reader.files()]
        (card,) = reader.status().sources
        samples = sum(entry.samples for entry in cards)
        assert (samples, samples) == (card.received, card.accounted)
        assert sum(len(entry.heard) for entry in cards) == len(list(reader.detections()))
        numbers = [file.number for file in reader.files()]
        expected = [
            (n, r) for n, entry in zip(numbers, cards, strict=True) for r in merged(entry.ranges)
        ]
        assert expected == [(one.number, one.range) for one in reader.ranges()]


def test_a_file_that_could_not_be_read_at_all_is_known_as_that(path):
    """Once it can be read it is another."""
    failed = replace(
        file_done(1),
        fingerprint="",
        sha256="",
        state=FileState.FAILED,
        samples=0,
        ranges=(),
        heard=(),
    )
    with Store.open(path, now=now) as store:
        store.write([failed])
        assert is_known(store, failed)
        assert not is_known(store, file_done(1))


def test_a_content_that_could_not_be_read_is_not_known(path):
    """Only a file that was scored makes another one with its content a duplicate."""
    failed = replace(file_done(1), state=FileState.FAILED, samples=0, ranges=(), heard=())
    copy = replace(file_done(1), path="/card/copy.wav")
    with Store.open(path, now=now) as store:
        store.write([failed])
        assert store.known_content(failed.sha256) is None
        store.write([copy, replace(copy, path="/card/third.wav")])
        assert store.known_content(failed.sha256) == "/card/copy.wav"


def test_names_that_are_no_utf_8_are_kept_spelt_out(path):
    """A file's name with stray bytes is stored, and known again."""
    entry = replace(file_done(1), path="/card/Amsel\udcff'; DROP TABLE files; --.wav")
    with Store.open(path, now=now) as store:
        store.write([entry])
        assert is_known(store, entry)
    with StoreReader(path) as reader:
        assert next(reader.files()).path == "/card/Amsel\\udcff'; DROP TABLE files; --.wav"


def test_a_fault_that_is_seen_again_counts_up_until_it_ends(path):
    """One row tells since when, how often and until when; the next time is another row."""
    later = [START + timedelta(seconds=second) for second in range(5)]
    with Store.open(path, now=now) as store:
        store.write([FaultSeen("microphone", "silent", "plug it in", at) for at in later[:3]])
        store.write([FaultSeen("card", "gone", "mount it", later[0])])
        with StoreReader(path) as reader:
            shown = {fault.where: fault for fault in reader.status().faults}
        assert (3, later[0], later[2]) == (
            shown["microphone"].count,
            shown["microphone"].since,
            shown["microphone"].last,
        )
        store.write([FaultEnded("microphone", later[3])])
        with StoreReader(path) as reader:
            assert [fault.where for fault in reader.status().faults] == ["card"]
        store.write([FaultSeen("microphone", "silent", "plug it in", later[4])])
        with StoreReader(path) as reader:
            assert (reader.status().faults[0].count, reader.status().open_faults) == (1, 2)


def test_the_model_that_was_chosen_is_chosen_after_a_restart(path):
    """A change that failed does not count."""
    with Store.open(path, now=now) as store:
        assert store.last_model() is None
        store.write([ModelChanged(START, "", "a"), ModelChanged(START, "a", "b")])
        store.write([ModelChanged(START, "b", "c", failed="its hash is wrong")])
        assert store.last_model() == "b"
    with Store.open(path, now=now) as store:
        assert store.last_model() == "b"


def test_a_sink_s_cursor_is_where_it_was_after_a_restart(path):
    """Number and position come back as they were set; an unknown sink is at the beginning."""
    with Store.open(path, now=now) as store:
        assert store.cursor("jsonl") == (0, "")
        store.set_cursor("jsonl", 7, '{"bytes": 901}')
        store.set_cursor("jsonl", 9, '{"bytes": 1204}')
    with Store.open(path, now=now) as store:
        assert store.cursor("jsonl") == (9, '{"bytes": 1204}')


def test_a_clean_end_accounts_for_what_is_in_flight(path):
    """Samples that were received and never scored become a gap when the store is closed."""
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0, in_flight=WINDOW + 1)])
    gap = window_range(1, state=WindowState.GAP, reason=ENDED_EARLY, count=2)
    expected = [window_range(0), replace(gap, end_sample=2 * WINDOW + 1, received=WINDOW + 1)]
    assert expected == ranges(path)


def test_the_anchor_places_the_last_window(path):
    """After a step of the clock, the time of the last window counts from the new anchor."""
    step = timedelta(days=-365)
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0)])
        store.write([Anchored(stream, WINDOW, START + step, "the clock was stepped")])
        store.write([done(stream, 1)])
        with StoreReader(path) as reader:
            (live,) = reader.status().streams
    assert START + step + timedelta(seconds=5) == live.last_window_end


def test_a_new_stream_of_a_source_takes_the_old_one_s_place(path):
    """Each opening counts from 0; the old one takes no more windows once all are accounted."""
    with Store.open(path, now=now) as store:
        first, second = store.next_stream(), store.next_stream()
        store.write([opened(first), done(first, 0), opened(second), done(second, 0)])
        with pytest.raises(ValueError, match="is not open"):
            store.write([done(first, 1)])
        assert (store.is_live(first), store.is_live(second)) == (False, True)
        with StoreReader(path) as reader:
            assert [second] == [live.stream for live in reader.status().streams]
            assert reader.status().sources[0].received == 2 * WINDOW


def test_the_store_is_readable_by_its_group_and_not_by_others(path):
    """The file is made with mode 0640."""
    Store.open(path, now=now).close()
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_is_not_there_is_an_error_with_a_remedy(tmp_path):
    """No folder is made: it may be a disk that is not mounted."""
    with pytest.raises(ConfigError) as error:
        Store.open(tmp_path / "disk" / "edge.db", now=now)
    assert str(tmp_path / "disk" / "edge.db") in error.value.what
    assert error.value.remedy


def test_files_without_windows_are_kept_with_their_reasons(path):
    """A duplicate and a file that could not be read have their state, and count no samples."""
    failed = FileDone(
        "card", "/a.wav", 0, 1, "", "", FileState.FAILED, "is empty", samples=5 * RATE
    )
    double = FileDone("card", "/b.wav", 3, 1, "12" * 8, "ab" * 32, FileState.DUPLICATE, "of /c.wav")
    with Store.open(path, now=now) as store:
        store.write([failed, double])
        with StoreReader(path) as reader:
            (card,) = reader.status().sources
            reasons = [file.reason for file in reader.files()]
    assert (card.received, card.accounted) == (0, 0)
    assert card.files == {FileState.FAILED: 1, FileState.DUPLICATE: 1}
    assert reasons == ["is empty", "of /c.wav"]


def test_sinks_move_their_cursors_from_their_own_threads(path):
    """Cursors that are set while windows are written are all kept, and so are the windows."""
    sinks = [f"sink {number}" for number in range(4)]
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream)])

        def deliver(sink):
            for number in range(1, 201):
                store.set_cursor(sink, number, str(number))

        threads = [Thread(target=deliver, args=(sink,), name=sink) for sink in sinks]
        for thread in threads:
            thread.start()
        for window in range(200):
            store.write([done(stream, window, heard(window))])
        for thread in threads:
            thread.join()
        assert store.last_number == 200
    with Store.open(path, now=now) as store:
        assert [store.cursor(sink) for sink in sinks] == [(200, "200")] * 4
        assert store.last_number == 200
