"""Recordings that are broken, or change while they are read: counted or told, and nothing lost."""

import os
import shutil
import subprocess
import threading

import numpy as np
import pytest
import soundfile
from recordings import RATE_HZ, noise, record
from station import wait_until

from edge.model.folder import sha256_of
from edge.store.reader import StoreReader

MANY = 10_000 if os.environ.get("EDGE_SOAK") else 1_000


def files_of(here):
    """What became of each file: {name: (state, reason)}."""
    with StoreReader(here.folder / "edge.db") as reader:
        return {
            row.path.rpartition("/")[2]: (row.state.value, row.reason) for row in reader.files()
        }


def counts_of(status):
    """How many files ended in which state."""
    return status["sources"][0]["files"] if status["sources"] else {}


def heard(status, name):
    """What is said of one source; nothing received before it is there."""
    of_name = [source for source in status["sources"] if source["source"] == name]
    return of_name[0] if of_name else {"received": 0, "accounted": 0, "windows": []}


def accounted(here):
    """Whether all that was received lies in windows with an outcome."""
    (source,) = here.status()["sources"]
    return source["received"] == source["accounted"]


def test_what_cannot_be_scored_is_counted_and_told(watching, card):
    """Each broken recording has a state with its reason, the good ones are scored, none ends it."""
    here = watching()
    process = here.start()
    record(card / "20260501_040000.wav", seed=1)
    here.wait_for(lambda status: counts_of(status) == {"done": 1})
    whole = (card / "20260501_040000.wav").read_bytes()
    (card / "empty.wav").touch()
    (card / "header.wav").write_bytes(whole[:44])
    (card / "text.wav").write_text("this is no sound\n" * 1000)
    (card / "odd.wav").write_bytes(b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\x7f")
    soundfile.write(card / "nan.wav", np.full(5 * RATE_HZ, np.nan), RATE_HZ, subtype="FLOAT")
    record(card / "short.wav", 0.1, seed=2)
    os.mkfifo(card / "pipe.wav")
    (card / "folder.wav").mkdir()
    record(card / "two\nlines.wav", seed=3)
    record(card / os.fsdecode(b"caf\xe9.wav"), seed=4)
    (card / "truncated.wav").write_bytes(whole[: len(whole) // 2 + 1])
    record(card / "zz-good.wav", seed=5)
    status = here.wait_for(lambda status: sum(counts_of(status).values()) == 11)
    assert counts_of(status) == {"done": 5, "unheard": 2, "failed": 4}
    found = files_of(here)
    assert {name: state for name, (state, _) in found.items()} == {
        "20260501_040000.wav": "done",
        "empty.wav": "failed",
        "header.wav": "failed",
        "text.wav": "failed",
        "odd.wav": "failed",
        "nan.wav": "unheard",
        "short.wav": "unheard",
        "two\nlines.wav": "done",
        "caf\\udce9.wav": "done",
        "truncated.wav": "done",
        "zz-good.wav": "done",
    }
    assert all(reason for state, reason in found.values() if state == "failed")
    told = {fault["where"].rpartition("/")[2]: fault for fault in status["faults"]}
    assert {"empty.wav", "header.wav", "text.wav", "odd.wav", "nan.wav", "short.wav"} <= set(told)
    assert all(fault["what"] and fault["since"] and fault["remedy"] for fault in told.values())
    assert accounted(here)
    text = here.command("status")
    assert "4 failed" in text.stdout
    assert process.poll() is None
    here.stop(process)


def test_the_same_sound_twice_is_a_duplicate(watching, card):
    """A copy under another name is known by its content and not scored again."""
    here = watching()
    process = here.start()
    record(card / "a.wav", 12.0)
    before = here.wait_for(lambda status: counts_of(status) == {"done": 1})
    shutil.copyfile(card / "a.wav", card / "b.wav")
    after = here.wait_for(lambda status: counts_of(status) == {"done": 1, "duplicate": 1})
    assert after["detections"] == before["detections"] > 0
    assert str(card / "a.wav") in files_of(here)["b.wav"][1]
    here.stop(process)


def test_a_recording_that_is_replaced_is_scored_again(watching, card):
    """Other content under an old name is another recording."""
    here = watching()
    process = here.start()
    record(card / "a.wav", seed=1)
    before = here.wait_for(lambda status: counts_of(status) == {"done": 1})
    record(card / "a.wav", 10.0, seed=2)
    after = here.wait_for(lambda status: counts_of(status) == {"done": 2})
    assert after["detections"] == 3 * before["detections"]
    here.stop(process)


class Slow:
    """Sound of many minutes, which takes the daemon seconds: time to disturb it."""

    SECONDS = 3600

    def __init__(self, path, *, seed=1):
        samples = np.tile(noise(600.0, seed=seed), self.SECONDS // 600)
        new = path.with_suffix(".tmp")
        soundfile.write(new, samples, RATE_HZ, subtype="PCM_16", format="WAV")
        new.rename(path)


def is_reading(process, path):
    """Whether the process has the file open."""
    folder = f"/proc/{process.pid}/fd"
    for descriptor in os.listdir(folder):
        try:
            if os.readlink(f"{folder}/{descriptor}").removesuffix(" (deleted)") == str(path):
                return True
        except OSError:
            continue
    return False


def test_a_recording_taken_away_while_it_is_read(watching, card):
    """It leaves a fault that names it, none of its windows, and the next one is scored."""
    here = watching()
    process = here.start()
    Slow(card / "a.wav")
    wait_until(lambda: is_reading(process, card / "a.wav"), here.log)
    (card / "a.wav").unlink()
    fault = here.wait_for_fault(f"directory: {card / 'a.wav'}", "taken away")
    assert fault["since"]
    record(card / "b.wav")
    status = here.wait_for(lambda status: counts_of(status) == {"done": 1})
    assert status["sources"][0]["windows"][0]["windows"] == 1
    assert process.poll() is None
    here.stop(process)


def test_a_recording_written_to_while_it_is_read(watching, card):
    """It is scored once, whole, when it has settled."""
    here = watching()
    process = here.start()
    Slow(card / "a.wav")
    wait_until(lambda: is_reading(process, card / "a.wav"), here.log)
    with (card / "a.wav").open("ab") as file:
        file.write(b"LIST\x04\x00\x00\x00INFO")
    here.wait_for_fault(f"directory: {card / 'a.wav'}", "written to")
    status = here.wait_for(lambda status: counts_of(status) == {"done": 1})
    (count,) = status["sources"][0]["windows"]
    assert count["windows"] == Slow.SECONDS // 5
    assert status["sources"][0]["received"] == Slow.SECONDS * RATE_HZ
    here.stop(process)


def test_a_recording_that_grows_for_long(watching, card):
    """While it is copied slowly nothing is scored; then all of it is, once."""
    here = watching(source={"directory": {"path": str(card), "settle_seconds": 0.5}})
    process = here.start()
    here.wait_for(lambda status: status["running"])
    content = record(card.parent / "a.wav", 20.0).read_bytes()
    with (card / "a.wav").open("wb", buffering=0) as file:
        for at in range(0, len(content), 1 << 17):
            assert counts_of(here.status()) == {}
            file.write(content[at : at + (1 << 17)])
    status = here.wait_for(lambda status: counts_of(status) == {"done": 1})
    assert status["sources"][0]["windows"][0]["windows"] == 4
    here.stop(process)


@pytest.mark.slow
def test_very_many_recordings_at_once(watching, card):
    """Thousands that arrive together are all scored, each once; memory does not grow with them."""
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    content = bytearray(record(card.parent / "a.wav", 1.0).read_bytes())
    threads = []
    for part in range(4):

        def drop(part=part):
            for number in range(part, MANY, 4):
                mine = bytearray(content)
                mine[-4:] = number.to_bytes(4, "little")
                (card / f"{number:06}.wav").write_bytes(mine)

        threads.append(threading.Thread(target=drop))
        threads[-1].start()
    for thread in threads:
        thread.join()
    status = here.wait_for(lambda status: sum(counts_of(status).values()) == MANY)
    assert counts_of(status) == {"done": MANY}
    assert status["sources"][0]["received"] == status["sources"][0]["accounted"]
    assert len({d.stream for d in here.detections()}) == MANY
    here.stop(process)


def test_a_folder_that_goes_and_comes_back(watching, card):
    """A folder taken away is a fault while it is away; what is in it afterwards is scored."""
    source = {"directory": {"path": str(card), "settle_seconds": 0.2, "sweep_seconds": 0.5}}
    here = watching(source=source)
    process = here.start()
    record(card / "a.wav", seed=1)
    here.wait_for(lambda status: counts_of(status) == {"done": 1})
    away = card.with_name("away")
    card.rename(away)
    fault = here.wait_for_fault(str(card))
    assert fault["since"]
    record(away / "b.wav", seed=2)
    away.rename(card)
    status = here.wait_for(lambda status: counts_of(status) == {"done": 2})
    here.wait_for_no_fault(str(card))
    assert status["sources"][0]["received"] == 2 * 5 * RATE_HZ
    here.stop(process)


def write_card(place, *sounds, written_ns=1_558_504_800_000_000_000):
    """A card of one of several recorders on one schedule: names, sizes and times are the same."""
    place.mkdir()
    for number, seed in enumerate(sounds):
        path = record(place / f"20190522_06{number}000.WAV", seed=seed)
        os.utime(path, ns=(written_ns, written_ns))
    return place


def test_cards_of_two_recorders_that_agree_in_all_but_the_sound(watching, card):
    """Each card's recordings are scored, once, whichever is mounted again, and when."""
    source = {"directory": {"path": str(card), "settle_seconds": 0.2, "sweep_seconds": 0.5}}
    card.rmdir()
    cards = [write_card(card.with_name(f"card-{n}"), 10 * n, 10 * n + 1) for n in range(2)]
    here = watching(source=source)
    process = here.start()
    counted = 0
    for turn, number in enumerate((0, 1, 0, 1)):
        cards[number].rename(card)
        # By the order of their names the others were looked at before it.
        record(card / f"last-{turn}.wav", seed=100 + turn)
        counted += 3 if turn < 2 else 1
        status = here.wait_for(lambda status, n=counted: counts_of(status) == {"done": n})
        card.rename(cards[number])
    here.wait_for(lambda status: str(card) in [fault["where"] for fault in status["faults"]])
    here.stop(process)
    assert status["sources"][0]["received"] == counted * 5 * RATE_HZ
    with StoreReader(here.store) as reader:
        rows = list(reader.files())
    assert len({row.sha256 for row in rows}) == counted == 8
    assert len({row.path for row in rows}) == 6
    for place in cards:
        place.rename(card)
        here.run_once()
        card.rename(place)
    assert counts_of(here.status()) == {"done": 8}


def test_a_card_exchanged_while_its_recording_is_read(watching, card):
    """Nothing of it is kept under the other's name; both are scored, each when it is there."""
    source = {"directory": {"path": str(card), "settle_seconds": 0.2, "sweep_seconds": 0.5}}
    card.rmdir()
    cards = [card.with_name(f"card-{number}") for number in range(2)]
    for number, place in enumerate(cards):
        place.mkdir()
        Slow(place / "a.wav", seed=number)
        os.utime(place / "a.wav", ns=(10**18, 10**18))
    here = watching(source=source)
    process = here.start()
    cards[0].rename(card)
    wait_until(lambda: is_reading(process, card / "a.wav"), here.log)
    card.rename(cards[0])
    cards[1].rename(card)
    here.wait_for_fault(f"directory: {card / 'a.wav'}", "another file")
    here.wait_for(lambda status: counts_of(status) == {"done": 1})
    card.rename(cards[1])
    cards[0].rename(card)
    status = here.wait_for(lambda status: counts_of(status) == {"done": 2})
    assert status["sources"][0]["received"] == 2 * Slow.SECONDS * RATE_HZ
    with StoreReader(here.store) as reader:
        assert [sha256_of(place / "a.wav") for place in (cards[1], card)] == [
            row.sha256 for row in reader.files()
        ]
    here.stop(process)


def test_a_folder_missing_at_the_start(watching, card):
    """The daemon starts, says so, and takes up the folder when it is there."""
    source = {"directory": {"path": str(card), "settle_seconds": 0.2, "sweep_seconds": 0.5}}
    card.rmdir()
    here = watching(source=source)
    process = here.start()
    here.wait_for_fault(str(card))
    card.mkdir()
    record(card / "a.wav")
    here.wait_for(lambda status: counts_of(status) == {"done": 1})
    here.wait_for_no_fault(str(card))
    here.stop(process)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_recording_without_permission(watching, card):
    """It is a fault until it may be read; the others are scored meanwhile."""
    here = watching()
    process = here.start()
    record(card.parent / "a.wav", seed=1).chmod(0)
    (card.parent / "a.wav").rename(card / "a.wav")
    record(card / "b.wav", seed=2)
    here.wait_for(lambda status: counts_of(status) == {"done": 1})
    here.wait_for_fault(str(card), "may not be read")
    (card / "a.wav").chmod(0o644)
    here.wait_for(lambda status: counts_of(status) == {"done": 2})
    here.wait_for_no_fault(str(card))
    here.stop(process)


def test_a_long_recording_does_not_deafen_a_microphone(watching, card):
    """While hours are scored a live source keeps its windows: all there, none dropped."""
    source = [
        {"directory": {"path": str(card), "settle_seconds": 0.2}},
        {"stdin": {"sample_rate": RATE_HZ, "format": "s16le"}},
    ]
    here = watching(source=source)
    process = here.start(stdin=subprocess.PIPE)
    sound = (noise(1.0) * 32000).astype("<i2").tobytes()
    process.stdin.write(6 * sound)
    process.stdin.flush()
    Slow(card / "a.wav")
    wait_until(lambda: is_reading(process, card / "a.wav"), here.log)
    seconds = 6
    while "directory" not in [s["source"] for s in here.status_now()["sources"]]:
        process.stdin.write(2 * sound)
        process.stdin.flush()
        seconds += 2
    process.stdin.close()
    here.wait_for(lambda status: heard(status, "stdin")["accounted"] == seconds * RATE_HZ)
    live = heard(here.status(), "stdin")
    assert live["received"] == seconds * RATE_HZ
    assert {count["state"] for count in live["windows"]} <= {"predicted", "skipped"}
    here.stop(process)
