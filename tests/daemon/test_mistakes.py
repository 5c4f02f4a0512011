"""Every mistake that a configuration can hold: refused by check, by status, and while running."""

import math
import os
import re
import signal

import pytest
from recordings import RATE_HZ, record
from station import wait_until

from edge.cli import main

PCM = {"sample_rate": RATE_HZ, "format": "s16le"}
MIC = {"command": {"argv": ["cat"], **PCM}}


def folder(path, **more):
    """A source that watches a folder."""
    return {"directory": {"path": path}, **more}


def listening(**more):
    """A live source with some patience."""
    return {**MIC, "listening": more}


def sink(path, kind="jsonl", **more):
    """A sink with a file."""
    return {kind: {"path": path}, **more}


WRONG = {
    "a source of no kind": ({"source": {"name": "a"}}, "source: holds no source", "exactly one"),
    "a source of two kinds": (
        {"source": {**MIC, "stdin": PCM}},
        "more than one source: stdin and command",
        "several make a list",
    ),
    "a source of nothing": ({"source": {"stdin": None}}, "holds no source", "exactly one of"),
    "two nameless folders": (
        {"source": [folder("a"), folder("b")]},
        "source[1]: two are called 'directory'",
        "name: directory-2",
    ),
    "two of one name": (
        {"source": [folder("a", name="x"), {"name": "x", **MIC}]},
        "source[1]: two are called 'x'",
        "name",
    ),
    "two on standard input": (
        {"source": [{"name": "a", "stdin": PCM}, {"name": "b", "stdin": PCM}]},
        "source[1]: only one source can read standard input",
        "fifo",
    ),
    "a source called as faults are": (
        {"source": folder("a", name="Model")},
        "source.name: 'Model'",
        "something else",
    ),
    "a source called store": ({"source": folder("a", name="store")}, "name: 'store'", "else"),
    "a source called configuration": (
        {"source": folder("a", name="configuration")},
        "name: 'configuration'",
        "else",
    ),
    "a sink called as faults are": (
        {"sinks": [sink("a", name="store")]},
        "sinks[0].name: 'store'",
        "something else",
    ),
    "a source's zone": (
        {"source": {"directory": {"path": "a", "timezone": "Mars/Olympus"}}},
        "source.directory.timezone: there is no time zone 'Mars/Olympus'",
        "give an IANA name",
    ),
    "a station's zone": (
        {"station": {"timezone": "Europe/Berlim"}},
        "station.timezone: there is no time zone",
        "did you mean Europe/Berlin",
    ),
    "a station's name": (
        {"station": {"name": "my station"}},
        "station.name: 'my station' is not made of letters",
        "use letters, digits",
    ),
    "a number for a device": (
        {"source": {"soundcard": {"device": "1", "sample_rate": 48000}}},
        "source.soundcard.device: '1' is a number",
        "part of the device's name",
    ),
    "a sink of no kind": ({"sinks": [{}]}, "sinks[0]: holds no sink", "exactly one of jsonl"),
    "a sink of two kinds": (
        {"sinks": [{**sink("a"), "stdout": {}}]},
        "more than one sink: jsonl and stdout",
        "exactly one of",
    ),
    "two nameless sinks": (
        {"sinks": [sink("a"), sink("b")]},
        "sinks[1]: two are called 'jsonl'",
        "name: jsonl-2",
    ),
    "a post-processor of no kind": ({"post": [{}]}, "holds no post-processor", "exactly one of"),
    "a kernel without a middle": (
        {"post": [{"smooth": {"kernel": [1, 1]}}]},
        "post[0].smooth: a kernel of 2 weights",
        "an odd number",
    ),
    "a kernel without weight": (
        {"post": [{"smooth": {"kernel": [1, 0, 1]}}]},
        "a kernel needs weights",
        "the middle one",
    ),
    "a kernel with a heavy weight": (
        {"post": [{"smooth": {"kernel": [1.0, math.inf, 1.0]}}]},
        "post[0].smooth.kernel[1]: `.inf` is no number",
        "at most 1000",
    ),
    "a kernel that is none": (
        {"post": [{"smooth": {"kernel": [math.nan]}}]},
        "kernel[0]: `.nan` is no number",
        "at least 0",
    ),
    "an endless kernel": (
        {"post": [{"smooth": {"kernel": [1] * 123}}]},
        "post[0].smooth.kernel: Expected `array` of length <= 121",
        "at most 121",
    ),
    "a threshold that is none": (
        {"post": [{"threshold": {"default": math.nan}}]},
        "post[0].threshold.default: `.nan`",
        "at least 0 and at most 1",
    ),
    "a label's threshold": (
        {"post": [{"threshold": {"default": 0.5, "labels": {"Pica pica": 2}}}]},
        "post[0].threshold.labels.Pica pica: Expected `float` <= 1.0",
        "at most 1",
    ),
    "kept for too long": (
        {"store": {"path": "edge.db", "retention_days": 999_999}},
        "store.retention_days: Expected `float` <= 36500.0",
        "to keep all for ever, leave the key out",
    ),
    "kept for ever": (
        {"store": {"path": "edge.db", "retention_days": math.inf}},
        "store.retention_days: `.inf` is no number",
        "to keep all for ever, leave the key out",
    ),
    "a store without end": (
        {"store": {"path": "edge.db", "max_mb": math.inf}},
        "store.max_mb: `.inf` is no number",
        "to have no limit, leave the key out",
    ),
    "a store of no size": (
        {"store": {"path": "edge.db", "max_mb": math.nan}},
        "store.max_mb: `.nan` is no number",
        "above 0",
    ),
    "an endless buffer": (
        {"source": listening(buffer_s=math.inf)},
        "source.listening.buffer_s: `.inf` is no number",
        "at most 3600",
    ),
    "a buffer that is no number": (
        {"source": listening(buffer_s=math.nan)},
        "source.listening.buffer_s: `.nan` is no number",
        "at most 3600",
    ),
    "a buffer of many years": (
        {"source": listening(buffer_s=1e9)},
        "source.listening.buffer_s: Expected `float` <= 3600",
        "at most 3600",
    ),
    "a buffer that memory does not hold": (
        {
            "source": {
                "stdin": {"sample_rate": 250_000, "format": "s16le"},
                "listening": {"buffer_s": 3600},
            }
        },
        "source.listening.buffer_s: so much sound at 250000 Hz",
        "give at most 1000",
    ),
    **{
        f"patience without end, {key}": (
            {"source": listening(**{key: math.inf})},
            f"source.listening.{key}: `.inf` is no number",
            "at most 86400",
        )
        for key in ("nothing_s", "lifeless_s", "first_wait_s", "longest_wait_s", "healthy_s")
    },
    "silence without end": (
        {"source": {"command": {**MIC["command"], "silence_s": 1e12}}},
        "source.command.silence_s: Expected `float` <= 86400",
        "at most 86400",
    ),
    "never settled": (
        {"source": {"directory": {"path": "a", "settle_seconds": math.inf}}},
        "source.directory.settle_seconds: `.inf` is no number",
        "at most 86400",
    ),
    "never swept": (
        {"source": {"directory": {"path": "a", "sweep_seconds": math.nan}}},
        "source.directory.sweep_seconds: `.nan` is no number",
        "at most 86400",
    ),
    "a sink that is never sure": (
        {"sinks": [{"csv": {"path": "a", "min_confidence": math.nan}}]},
        "sinks[0].csv.min_confidence: `.nan`",
        "at most 1",
    ),
    "a latitude that is none": (
        {"station": {"latitude": math.nan}},
        "station.latitude: `.nan` is no number",
        "at least -90 and at most 90",
    ),
    "a longitude beyond": (
        {"station": {"longitude": -math.inf}},
        "station.longitude: `.inf` is no number",
        "at least -180",
    ),
    "nobody's folder": (
        {"source": folder("~nosuchuser/in")},
        "source.directory.path: ~nosuchuser/in: there is no home folder ~nosuchuser",
        "give the whole path",
    ),
    "nobody's pipe": (
        {"source": {"fifo": {"path": "~nosuchuser/pipe", **PCM}}},
        "source.fifo.path: ~nosuchuser/pipe",
        "give the whole path",
    ),
    "nobody's store": (
        {"store": {"path": "~nosuchuser/edge.db"}},
        "store.path: ~nosuchuser/edge.db",
        "give the whole path",
    ),
    "nobody's sink": (
        {"sinks": [sink("~nosuchuser/a", "csv")]},
        "sinks[0].csv.path: ~nosuchuser/a",
        "give the whole path",
    ),
    "nobody's model": ({"model": "~nosuchuser/m"}, "model: ~nosuchuser/m", "give the whole path"),
    "nobody's models": (
        {"models_dir": "~nosuchuser/m"},
        "models_dir: ~nosuchuser/m",
        "give the whole path",
    ),
    "nobody's files": (
        {"model_files": ["x", "~nosuchuser/f"]},
        "model_files[1]: ~nosuchuser/f",
        "give the whole path",
    ),
    "no model": ({"model": ""}, "model: Expected `str` of length >= 1", "`stsg-esc10`"),
    "no pipe": (
        {"source": {"fifo": {"path": "", **PCM}}},
        "source.fifo.path: Exp",
        "/run/edge/mic",
    ),
    "no store": ({"store": {"path": ""}}, "store.path: Expected `str` of length", "`edge.db`"),
    "a store that is a list": ({"store": {"path": [1]}}, "store.path: Expected", "give text that"),
    "NUL in a path": (
        {"source": folder("a\0b")},
        "source.directory.path: holds the",
        "take it out",
    ),
    "NUL in a sink": ({"sinks": [sink("a\0b")]}, "sinks[0].jsonl.path: holds the", "take it out"),
    "NUL in an argument": (
        {"source": {"command": {"argv": ["cat", "a\0"], **PCM}}},
        "source.command.argv[1]: holds the character U+0000",
        "take it out",
    ),
    "half a character": (
        {"source": {"command": {"argv": ["cat", "\ud800"], **PCM}}},
        "source.command.argv[1]: holds the character U+D800",
        "take it out",
    ),
    "a sink over the store": (
        {"sinks": [sink("../station-0/edge.db")]},
        "sinks[0].jsonl.path: ",
        "a file of its own",
    ),
    "a sink over the store's log": (
        {"sinks": [sink("edge.db-wal", "csv")]},
        "is a file of the store",
        "a file of its own",
    ),
    "a sink over the store's lock": (
        {"sinks": [sink("edge.db.lock")]},
        "edge.db.lock: is a file of the store",
        "a file of its own",
    ),
    "a sink over the configuration": (
        {"sinks": [sink("./edge.yaml")]},
        "edge.yaml: is the configuration itself",
        "a file of its own",
    ),
    "two sinks in a file": (
        {"sinks": [sink("a"), sink("../station-0/a", "csv")]},
        "sinks[1].csv.path: ",
        "a file of its own",
    ),
    "a store over the configuration": (
        {"store": {"path": "edge.yaml"}},
        "store.path: ",
        "give another name",
    ),
    "a folder twice": (
        {"source": [folder("in", name="a"), folder("../station-0/in/", name="b")]},
        "source[1].directory.path: source a searches",
        "take one out",
    ),
    "a folder in a folder": (
        {"source": [folder("in/deep", name="inner"), folder("in", name="outer")]},
        "source[1].directory.path: source inner searches",
        "recursive: false",
    ),
    "no source": ({"source": ...}, "source: is missing", "`source: {directory: {path: /media/"),
    "no store at all": ({"store": ...}, "store: is missing", "`store: {path: edge.db}`"),
    "no rate": (
        {"source": {"stdin": {"format": "s16le"}}},
        "source.stdin.sample_rate: is missing",
        "`sample_rate: 48000`",
    ),
}
"""What the file says instead, and what is said of it: the fault and the remedy."""


BOUND = re.compile("is no number|Expected|U[+]")


def save(here, changes):
    """Save the file with some keys changed, or left out."""
    here.path.unlink()
    before = here.config
    here.config = {k: v for k, v in {**before, **changes}.items() if v is not ...}
    here.write()
    here.config = before


@pytest.mark.parametrize(("changes", "what", "remedy"), WRONG.values(), ids=WRONG)
def test_check_tells_a_mistake(watching, capsys, changes, what, remedy):
    """Each is told with its line and remedy, and never that all is well."""
    here = watching()
    save(here, changes)
    assert main(["check", "-c", str(here.path), "--seconds", "0.1"]) == 2
    done = capsys.readouterr()
    assert done.err == ""
    told = done.out.splitlines()
    (at,) = [n for n, line in enumerate(told) if "PROBLEM configuration: " in line]
    assert f"{here.path}:" in told[at]
    assert what in told[at]
    assert remedy in told[at + 1]
    assert "all is well" not in done.out


RULES = {name: case for name, case in WRONG.items() if not BOUND.search(case[1])}
"""Those that more than a type's bounds decide."""


@pytest.mark.parametrize("changes", [case[0] for case in RULES.values()], ids=RULES)
def test_status_looks_for_the_store_all_the_same(watching, capsys, changes):
    """Where there is none it says so, and what to do."""
    here = watching()
    save(here, changes)
    assert main(["status", "-c", str(here.path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("edge: ")
    assert "remedy: " in said


SOME = dict([*RULES.items()][:: 1 if os.environ.get("EDGE_SOAK") else 8])


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "what", "remedy"), SOME.values(), ids=SOME)
def test_run_does_not_start_with_a_mistake(watching, changes, what, remedy):
    """It says why."""
    here = watching()
    save(here, changes)
    assert here.start().wait(30) == 2
    assert what in here.log()
    assert remedy in here.log()


def test_a_mistake_that_is_saved_changes_nothing(watching, card):
    """The daemon lives through every one, says what is wrong, and goes on as it was."""
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    for number, (changes, what, remedy) in enumerate(WRONG.values()):
        save(here, {**changes, **({} if number else {"station": {"name": "never"}})})
        process.send_signal(signal.SIGHUP)
        fault = here.wait_for_fault("configuration", what)
        assert remedy in fault["remedy"]
        assert process.poll() is None
    record(card / "a.wav")
    here.wait_for(lambda status: status["detections"] == 5)
    here.write()
    process.send_signal(signal.SIGHUP)
    here.wait_for_no_fault("configuration")
    here.stop(process)


def test_what_is_beside_another_is_no_mistake(watching, card, tmp_path):
    """Folders in one that is not searched to its ground, hidden ones, and names nearly the same."""
    (card / "in" / ".hidden").mkdir(parents=True)
    (tmp_path / "card-2").mkdir()
    flat = {"directory": {"path": str(card), "recursive": False}, "name": "flat"}
    here = watching(
        source=[
            flat,
            folder(str(card / "in"), name="in"),
            folder(str(card / "in" / ".hidden"), name="hidden"),
            folder(str(tmp_path / "card-2"), name="models"),
        ],
        sinks=[sink("edge.db.jsonl"), sink("edge.csv", "csv")],
    )
    done = here.command("check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_links_lead_to_the_same_place(watching, card):
    """A folder, or a file, by another name is the same one."""
    here = watching()
    (here.folder / "link").symlink_to(card)
    (here.folder / "alias.jsonl").symlink_to("edge.db")
    here.write(
        source=[folder(str(card), name="a"), folder("link", name="b")], sinks=[sink("alias.jsonl")]
    )
    done = here.command("check")
    assert done.returncode == 2
    assert "would be scored twice" in done.stdout
    assert "alias.jsonl: is a file of the store" in done.stdout
    assert "problems: 2" in done.stdout


def test_mistakes_hide_no_others(watching):
    """Those of single keys, of lists and of the whole are all told at once."""
    here = watching(
        source=[folder("a"), folder("b")],
        sinks=[sink("edge.yaml")],
        station={"latitude": math.nan},
        models_dir="~nosuchuser/m",
        post=[{"smooth": {"kernel": [1, 1]}}],
    )
    done = here.command("check")
    assert done.returncode == 2
    for words in ("two are called", "configuration itself", ".nan", "~nosuchuser", "of 2 weights"):
        assert words in done.stdout
    assert "problems: 5" in done.stdout


def test_status_shows_what_the_mistake_is_not_about(watching, card):
    """With a mistake elsewhere in the file the store is still found, and told."""
    here = watching()
    record(card / "a.wav")
    here.run_once()
    here.write(sinks=[sink("~nosuchuser/a")], source=[folder("a"), folder("~nosuchuser/b")])
    done = here.command("status")
    assert done.returncode == 3, done.stderr
    assert "station    station" in done.stdout


def test_the_last_word_is_a_threshold(watching, models, card):
    """What smooths after a threshold is followed by the model's own, as check says."""
    manifest = models / "tiny" / "model.yaml"
    smooth = {"smooth": {"kernel": [0.5, 1, 0.5]}}
    here = watching(post=[{"threshold": {"default": 0.0}}])
    record(card / "a.wav", seed=1)
    here.run_once()
    found = sorted(detection.confidence for detection in here.detections())
    level = (found[0] + found[-1]) / 2
    manifest.write_text(f"{manifest.read_text()}\nthreshold: {level}\n")
    other = watching(post=[{"threshold": {"default": 0.0}}, smooth])
    done = other.command("check")
    assert done.returncode == 0, done.stdout
    assert f"ok      post: ends with the model's own threshold, {level:g}\n" in done.stdout
    other.run_once()
    heard = [detection.confidence for detection in other.detections()]
    assert all(confidence >= level for confidence in heard)
    assert len(heard) < len(found)
    done = here.command("check")
    assert "own threshold" not in done.stdout
    wait_until(lambda: "stopped" in other.log())
