"""The configuration: checked before, strict at the start, taken in while running."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap

import jsonschema
import pytest
import yaml
from recordings import RATE_HZ, noise, record
from station import wait_until

from edge.config import read_config

PCM = {"sample_rate": RATE_HZ, "format": "s16le"}
SECOND = (noise(1.0) * 32000).astype("<i2").tobytes()


def tree(folder):
    """All files below a folder, with their size and times."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def speaking():
    """A source that gives sound."""
    script = f"import sys; sys.stdout.buffer.write({SECOND!r})"
    return {"name": "mic", "command": {"argv": [sys.executable, "-c", script], **PCM}}


def test_check_finds_a_good_station_good_and_writes_nothing(watching, card, tmp_path):
    """It says what it found of each part, ends with 0, and leaves every file as it was."""
    here = watching(
        source=[{"directory": {"path": str(card)}}, speaking()],
        sinks=[{"jsonl": {"path": "heard.jsonl"}}],
    )
    record(card / "a.wav")
    before = tree(tmp_path)
    done = here.command("check")
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("tiny@1", "1 recordings", "sound comes", "heard.jsonl", "all is well"):
        assert words in done.stdout
    assert tree(tmp_path) == before
    here.config["source"] = here.config["source"][0]
    here.write()
    here.run_once()
    before = tree(tmp_path)
    done = here.command("check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "edge.db: 5 detections" in done.stdout
    assert tree(tmp_path) == before


def test_check_after_somebody_looked(watching, card):
    """A store that was closed as it should is that also when it was read since."""
    here = watching()
    record(card / "a.wav")
    here.run_once()
    assert here.command("status").returncode == 3
    done = here.command("check")
    assert "edge.db: 5 detections" in done.stdout
    # What a read may leave behind.
    (here.folder / "edge.db-wal").touch()
    done = here.command("check")
    assert "edge.db: 5 detections" in done.stdout
    process = here.start()
    here.wait_for(lambda status: status["running"])
    process.kill()
    process.wait()
    assert "was not closed as it should" in here.command("check").stdout


def test_check_shows_what_a_program_said(watching):
    """Its last words stand below the problem, indented, and its name once."""
    argv = ["sh", "-c", "echo no card >&2; exit 3"]
    here = watching(source={"command": {"argv": argv, **PCM}})
    done = here.command("check")
    problem = [line for line in done.stdout.splitlines() if "PROBLEM" in line]
    assert len(problem) == 1
    assert problem[0].startswith("PROBLEM source command: sh -c ")
    assert "ended with status 3\n        it said last:\n        no card\n" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders away")
def test_check_by_root_says_who_runs_the_service(watching, card):
    """What root may do the service's user may not, so the verdict is worth little."""
    here = watching()
    assert "checked as root" not in here.command("check").stdout
    shutil.chown(here.folder, "nobody")
    again = f"sudo -u nobody edge check -c {here.path}"
    expected = f"checked as root; the service runs as nobody: {again}"
    assert expected == here.command("check").stdout.splitlines()[-1]


@pytest.mark.parametrize("command", ["check", "status", "export", "run"])
def test_the_configuration_may_be_named_by_the_environment(watching, card, tmp_path, command):
    """Without -c it is the file that EDGE_CONFIG names."""
    here = watching()
    here.run_once()
    more = {"export": ["--format", "csv", "--out", str(tmp_path / "out")], "run": ["--once"]}
    environment = {**os.environ, "EDGE_CONFIG": str(here.path)}
    done = subprocess.run(
        [sys.executable, "-m", "edge", command, *more.get(command, [])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (3 if command == "status" else 0), done.stderr


@pytest.mark.skipif(os.path.exists("/etc/edge/edge.yaml"), reason="edge is installed here")
def test_without_any_configuration_it_is_asked_for(tmp_path):
    """Neither -c nor EDGE_CONFIG nor an installed station: exit code 2."""
    environment = {name: value for name, value in os.environ.items() if name != "EDGE_CONFIG"}
    done = subprocess.run(
        [sys.executable, "-m", "edge", "status"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "required: -c/--config" in done.stderr) == (2, True)


def test_a_new_station_shows_what_it_listens_to(watching, card):
    """Before anything was heard, the status names each source and where its sound comes from."""
    here = watching(source=[{"directory": {"path": str(card)}}, {"name": "mic", "stdin": PCM}])
    here.config["source"][0]["directory"]["recursive"] = False
    here.write()
    process = here.start(stdin=subprocess.PIPE)
    here.wait_for(lambda status: status["running"])
    text = here.command("status").stdout
    assert f"source directory: nothing yet\n  from     {card}\n" in text
    assert "source mic: nothing yet\n  from     standard input\n" in text
    record(card / "a.wav")
    here.wait_for(lambda status: status["detections"] == 5)
    text = here.command("status").stdout
    assert f"source directory: 1 predicted\n  from     {card}\n" in text
    here.stop(process)


def test_the_present_trouble_of_a_source_is_told_alone(watching, tmp_path):
    """What was wrong before is over when something else is, also in the next run."""
    recorder = tmp_path / "recorder"
    here = watching(source={"command": {"argv": [str(recorder)], **PCM}})
    process = here.start()
    here.wait_for_fault("command", "no program called")
    recorder.write_text("#!/bin/sh\necho no card >&2\nexit 3\n")
    recorder.chmod(0o755)
    here.wait_for_fault("command", "ended with status 3")
    assert here.status()["open_faults"] == 1
    text = here.command("status").stdout
    assert f"\n  command: {recorder}: ended with status 3\n    since " in text
    assert "\n    it said last:\n      no card\n    remedy: run it by hand" in text
    process.kill()
    process.wait()
    recorder.unlink()
    process = here.start()
    here.wait_for_fault("command", "no program called")
    assert here.status()["open_faults"] == 1
    here.stop(process)


def test_check_works_beside_a_daemon(watching):
    """It says who uses the store, and does not disturb."""
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    done = here.command("check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"in use by process {process.pid}" in done.stdout
    here.stop(process)


def test_check_lists_every_problem_at_once(watching, tmp_path):
    """Each part that would fail is named, with what to do; nothing is written; it ends with 2."""
    (tmp_path / "file").touch()
    silent = "import sys, time; sys.stdout.buffer.write(bytes(8000)); time.sleep(60)"
    here = watching(
        station={"name": "x", "timezone": "Mars/Olympus"},
        model="no-such-model",
        source=[
            {"directory": {"path": str(tmp_path / "missing")}},
            {"name": "zeros", "command": {"argv": [sys.executable, "-c", silent], **PCM}},
            {"name": "absent", "command": {"argv": ["no-such-recorder"], **PCM}},
            {"fifo": {"path": str(tmp_path / "file"), **PCM}},
        ],
        sinks=[
            {"jsonl": {"path": str(tmp_path / "no" / "heard.jsonl")}},
            {"csv": {"path": str(tmp_path)}},
        ],
        colour="green",
    )
    before = tree(tmp_path)
    done = here.command("check", "--seconds", "1")
    assert done.returncode == 2
    for words in (
        "colour: unknown key",
        "Mars/Olympus",
        "no-such-model",
        "missing: there is no such folder",
        "only zeros",
        "no program called 'no-such-recorder'",
        "is not a named pipe",
        f"{tmp_path / 'no'}: there is no such folder",
        f"{tmp_path}: is a folder",
        "problems: 9",
    ):
        assert words in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("remedy:") == done.stdout.count("PROBLEM") == 9
    assert tree(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_check_finds_a_folder_it_may_not_write_to(watching, tmp_path):
    """A sink whose folder is not writable is a problem before anything is lost."""
    (tmp_path / "locked").mkdir(mode=0o555)
    here = watching(sinks=[{"jsonl": {"path": str(tmp_path / "locked" / "heard.jsonl")}}])
    done = here.command("check")
    assert done.returncode == 2
    assert "may not be written" in done.stdout


@pytest.mark.parametrize("content", [None, "", "a: [", "- 1\n- 2\n", b"\xff\xfe"])
def test_check_of_a_file_that_is_no_configuration(watching, content):
    """It says so, with a remedy, and ends with 2."""
    here = watching()
    here.path.unlink()
    if content is not None:
        here.path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = here.command("check")
    assert done.returncode == 2
    assert "edge.yaml" in done.stdout + done.stderr
    assert "remedy:" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("modell: tiny", 6, "modell: unknown key"),
        ("post: [{smooth: {kernel: broad}}]", 6, "post[0].smooth.kernel"),
        ("sinks:\n- jsonl: {path: 5}", 7, "sinks[0].jsonl.path"),
        ("station:\n  timezone: Mars/Olympus", 7, "no time zone"),
        ("station: {latitude: 91}", 6, "station.latitude"),
    ],
)
def test_a_wrong_configuration_does_not_start(watching, text, line, words):
    """The line, the key and a remedy are said, and it ends with 2."""
    here = watching()
    here.path.write_text(
        "model: tiny\nmodels_dir: ../models\nstore: {path: edge.db}\n"
        f"source:\n  directory: {{path: ../card}}\n{text}\n"
    )
    process = here.start()
    assert process.wait(30) == 2
    log = here.log()
    assert f"edge.yaml:{line}: " in log
    assert words in log
    assert "remedy: " in log
    assert not (here.folder / "edge.db").exists()


def test_sources_are_not_an_empty_list(watching):
    """A station that hears nothing is a mistake, not a daemon that ends at once."""
    here = watching(source=[])
    assert here.start().wait(30) == 2
    assert "source" in here.log()


WRITTEN = """
station: {name: pantanal-07, latitude: -18.98, longitude: -56.62, timezone: America/Cuiaba}
models_dir: models
model: stsg-esc10
source: {directory: {path: /var/lib/recorder, recursive: true, timezone: UTC}}
post: [{smooth: {kernel: [0.1, 0.8, 0.1]}}, {threshold: {default: 0.5}}]
store: {path: /var/lib/edge/edge.db, retention_days: 365}
sinks: [{jsonl: {path: /var/lib/edge/predictions.jsonl}}]
"""
ARECORD = """
source: {command: {argv: [arecord, -D, "plughw:1", -f, S16_LE, -r, "48000", -c, "1", -t, raw],
  sample_rate: 48000, format: s16le}}
"""
STDIN = "source: {stdin: {sample_rate: 32000, format: f32le}}"
SEVERAL = """
source:
- {name: card, directory: {path: /media/card}}
- {stdin: {sample_rate: 32000, format: f32le}}
"""


@pytest.mark.parametrize("source", ["", ARECORD, STDIN, SEVERAL])
def test_the_form_of_the_file(tmp_path, source):
    """A source may be one or a list, of every kind."""
    text = WRITTEN
    if source:
        text = "\n".join(line for line in text.split("\n") if not line.startswith("source"))
    path = tmp_path / "edge.yaml"
    path.write_text(text + source)
    config = read_config(path)
    assert config.station.name == "pantanal-07"
    assert config.store.retention_days == 365
    expected = {"": ["directory"], ARECORD: ["command"], STDIN: ["stdin"]}
    assert [s.label for s in config.sources] == expected.get(source, ["card", "stdin"])


def test_the_schema_agrees_with_the_types(tmp_path):
    """What the types take the schema takes, and what they refuse by kind it refuses."""
    done = subprocess.run([sys.executable, "-m", "edge", "schema"], capture_output=True, check=True)
    schema = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = yaml.safe_load(WRITTEN)
    for source in (None, ARECORD, STDIN, SEVERAL):
        assert validator.is_valid({**good, **(yaml.safe_load(source) if source else {})})
    beside_nothing = {"source": {"directory": None, "stdin": PCM}, "sinks": []}
    assert validator.is_valid({**good, **beside_nothing})
    for change in (
        {"colour": "green"},
        {"model": 5},
        {"source": []},
        {"source": {"directory": {"path": "x", "recursive": "maybe"}}},
        {"source": {"stdin": {"sample_rate": 32000}}},
        {"source": {"stdin": {"sample_rate": 32000, "format": "mp3"}}},
        {"station": {"latitude": 91}},
        {"post": [{"threshold": {"default": 1.5}}]},
        {"store": {"path": "x", "retention_days": 0}},
        {"sinks": [{"jsonl": {}}]},
        {"source": {"name": "a"}},
        {"source": {"stdin": None}},
        {"source": [{"fifo": {"path": "x", **PCM}, "stdin": PCM}]},
        {"sinks": [{"name": "a"}]},
        {"sinks": [{"jsonl": {"path": "x"}, "stdout": {}}]},
        {"post": [{}]},
        {"post": [{"threshold": None}]},
        {"post": [{"threshold": {"default": 0.5}, "smooth": {"kernel": [1]}}]},
        {"post": [{"smooth": {"kernel": [1001]}}]},
        {"store": {"path": "x", "retention_days": 999_999}},
        {"station": {"name": "my station"}},
    ):
        wrong = {**good, **change}
        path = tmp_path / "edge.yaml"
        path.write_text(yaml.safe_dump(wrong))
        with pytest.raises(Exception, match=str(path)):
            read_config(path)
        assert not validator.is_valid(wrong), change


def test_a_bad_save_changes_nothing(watching, card):
    """Half-written, emptied, no YAML, deleted: the old goes on, a fault says so until mended."""
    here = watching()
    process = here.start()
    whole = here.path.read_text()
    here.wait_for(lambda status: status["running"])
    for number, bad in enumerate(["model: tiny\nsource: {dir", "", whole[:20], None]):
        if bad is None:
            here.path.unlink()
        else:
            here.path.write_text(bad)
        fault = here.wait_for_fault("configuration")
        assert fault["since"]
        assert fault["remedy"]
        record(card / f"{number}.wav", seed=number)
        here.wait_for(
            lambda s, n=number: (
                s["sources"] and s["sources"][0]["files"] == {"done": n + 1}
                if here.path.exists()
                else True
            )
        )
        here.path.write_text(whole)
        here.wait_for_no_fault("configuration")
    assert process.poll() is None
    here.stop(process)
    assert here.status()["sources"][0]["files"] == {"done": 4}


def test_a_bad_save_names_what_is_wrong_now(watching):
    """Of two mistakes one after the other only the one that is there stands."""
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    whole = here.path.read_text()
    here.path.write_text(whole + "colour: green\n")
    here.wait_for_fault("configuration", "colour")
    here.path.write_text(whole + "sound: loud\n")
    here.wait_for_fault("configuration", "sound")
    (fault,) = here.status()["faults"]
    assert "colour" not in fault["what"]
    here.stop(process)


def test_sources_come_and_go(watching, card, tmp_path):
    """Others go on undisturbed, in the stream they had, while a source is added and removed."""
    mic = {"name": "mic", "stdin": PCM}
    here = watching(source=[mic])
    process = here.start(stdin=subprocess.PIPE)
    process.stdin.write(11 * SECOND)
    process.stdin.flush()

    def of(status, name):
        return next((s for s in status["sources"] if s["source"] == name), None)

    here.wait_for(lambda status: of(status, "mic"))
    directory = {"directory": {"path": str(card), "settle_seconds": 0.2}}
    record(card / "a.wav", seed=1)
    here.write(source=[mic, directory])
    here.wait_for(lambda status: of(status, "directory"))
    other = tmp_path / "other"
    other.mkdir()
    record(other / "b.wav", seed=2)
    here.write(source=[{"directory": {**directory["directory"], "path": str(other)}}, mic])
    here.wait_for(lambda status: of(status, "directory")["files"] == {"done": 2})
    here.write(source=mic)
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: here.log().count("configuration applied") == 3, here.log)
    record(card / "c.wav", seed=3)
    process.stdin.write(11 * SECOND)
    process.stdin.close()
    assert process.wait(20) == 0
    status = here.status()
    assert of(status, "mic")["received"] == of(status, "mic")["accounted"] == 22 * RATE_HZ
    assert len({part.number for part in here.ranges() if part.source == "mic"}) == 1
    assert of(status, "directory")["files"] == {"done": 2}


def test_sinks_come_and_go(watching, card):
    """A sink that is added gets all there is, one that is removed gets no more."""
    here = watching()
    process = here.start()
    record(card / "a.wav", seed=1)
    here.wait_for(lambda status: status["detections"] == 5)
    here.write(sinks=[{"jsonl": {"path": "one.jsonl"}}])
    wait_until(lambda: lines(here.folder / "one.jsonl") == 5, here.log)
    here.write(sinks=[{"name": "two", "jsonl": {"path": "two.jsonl"}}])
    wait_until(lambda: lines(here.folder / "two.jsonl") == 5, here.log)
    record(card / "b.wav", seed=2)
    wait_until(lambda: lines(here.folder / "two.jsonl") == 10, here.log)
    here.stop(process)
    assert lines(here.folder / "one.jsonl") == 5


def lines(path):
    """How many lines a file has."""
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_post_processors_change(watching, card):
    """Another threshold holds from then on."""
    here = watching()
    process = here.start()
    record(card / "a.wav", seed=1)
    here.wait_for(lambda status: status["detections"] == 5)
    here.write(post=[{"threshold": {"default": 1.0}}])
    wait_until(lambda: "configuration applied" in here.log(), here.log)
    record(card / "b.wav", seed=2)
    status = here.wait_for(lambda status: status["sources"][0]["files"] == {"done": 2})
    assert status["detections"] == 5
    here.stop(process)


def test_post_processors_change_though_the_model_fails(watching, card):
    """What can be applied of a save is, even where its model cannot be loaded."""
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    here.write(model="none-such", post=[{"threshold": {"default": 1.0}}])
    here.wait_for_fault("model", "none-such")
    record(card / "a.wav", seed=1)
    status = here.wait_for(lambda s: s["sources"] and s["sources"][0]["files"] == {"done": 1})
    assert status["detections"] == 0
    here.stop(process)


def test_the_store_stays_where_it_is_until_the_next_start(watching, card):
    """Another path is said to wait; what is heard meanwhile is in the old store."""
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    old = here.path.read_text()
    here.path.write_text(old.replace("edge.db", "new.db"))
    wait_until(lambda: "is for the next start" in here.log(), here.log)
    record(card / "a.wav")
    wait_until(lambda: '"recording"' in here.log(), here.log)
    here.path.write_text(old)
    here.wait_for_no_fault("configuration: store.path")
    assert here.status()["sources"][0]["files"] == {"done": 1}
    assert not (here.folder / "new.db").exists()
    here.stop(process)


def model_now(status):
    """The model that runs, without its version."""
    return (status["model"] or "").partition("@")[0]


def test_the_choice_of_a_model_survives_a_restart(watching):
    """SIGHUP takes it in at once; the next start begins with it."""
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    here.write(model="other")
    process.send_signal(signal.SIGHUP)
    here.wait_for(lambda status: model_now(status) == "other")
    here.stop(process)
    process = here.start()
    here.wait_for(lambda status: status["running"] and model_now(status) == "other")
    here.stop(process)


def test_a_model_that_broke_since_it_worked(watching, models, card):
    """The last one that works runs, a fault says why; mended, SIGHUP takes the one asked for."""
    here = watching()
    here.run_once()
    here.write(model="other")
    here.run_once()
    whole = (models / "other" / "vectors.npy").read_bytes()
    (models / "other" / "vectors.npy").write_bytes(whole[:-4])
    process = here.start()
    here.wait_for_fault("model", "vectors.npy")
    record(card / "a.wav")
    status = here.wait_for(lambda status: status["detections"] == 5)
    assert model_now(status) == "tiny"
    (models / "other" / "vectors.npy").write_bytes(whole)
    process.send_signal(signal.SIGHUP)
    here.wait_for(lambda status: model_now(status) == "other")
    here.wait_for_no_fault("model")
    here.stop(process)


def test_a_model_that_never_worked(watching, models):
    """The first start ends with 2 and names the file and the remedy."""
    (models / "tiny" / "vectors.npy").write_bytes(b"")
    here = watching()
    assert here.start().wait(30) == 2
    assert "vectors.npy" in here.log()
    assert "remedy" in here.log()


def test_models_whose_folder_is_gone(watching, models):
    """Without models_dir a shipped model that worked goes on."""
    here = watching(model="stsg-esc10")
    here.run_once()
    here.write(model="tiny")
    here.run_once()
    shutil.rmtree(models)
    process = here.start()
    here.wait_for_fault("model", "models_dir", "no such folder")
    assert model_now(here.status()) == "stsg-esc10"
    here.stop(process)


def test_a_model_by_its_path(watching, models, card):
    """A relative path begins in the configuration's folder, whatever the working directory."""
    here = watching(model="../models/tiny", models_dir=None)
    here.run_once()
    assert model_now(here.status()) == "tiny"


def test_a_mended_model_is_taken_at_the_next_save(watching, models):
    """A switch that failed is tried again by SIGHUP, and undone by putting the old name back."""
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    whole = (models / "other" / "head.onnx").read_bytes()
    (models / "other" / "head.onnx").write_bytes(b"half")
    here.write(model="other")
    here.wait_for_fault("model", "head.onnx")
    here.write(model="tiny")
    here.wait_for_no_fault("model")
    here.write(model="other")
    fault = here.wait_for_fault("model", "head.onnx")
    assert fault["remedy"].endswith("; then send SIGHUP: systemctl reload edge")
    (models / "other" / "head.onnx").write_bytes(whole)
    process.send_signal(signal.SIGHUP)
    here.wait_for(lambda status: model_now(status) == "other")
    here.wait_for_no_fault("model")
    here.stop(process)


def test_faults_of_an_earlier_run_are_over_when_they_are(watching, card):
    """What a killed run left open ends with the next one, unless it is seen again."""
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    here.write(model="none-such")
    since = here.wait_for_fault("model", "none-such")["since"]
    here.path.write_text(here.path.read_text() + "colour: green\n")
    here.wait_for_fault("configuration")
    process.kill()
    process.wait()
    here.write()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    here.stop(process)
    (fault,) = here.status()["faults"]
    assert (fault["where"], fault["since"]) == ("model", since)
    here.write(model="tiny")
    here.run_once()
    assert here.status()["faults"] == []


def test_help_says_what_is_meant():
    """Each command explains itself and its exit codes."""
    for command in ("run", "check", "status", "export", "schema", "models"):
        done = subprocess.run(
            [sys.executable, "-m", "edge", command, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0
        assert len(textwrap.dedent(done.stdout)) > 100
