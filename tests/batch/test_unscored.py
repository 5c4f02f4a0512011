"""Windows without a score can be found again."""

import json

import numpy as np
import soundfile
from batch_process import RATE, table, write_noise


def spoil(path, *, seconds: int, places: dict[float, float], rate_hz: int = RATE) -> None:
    """Write noise with single samples of other values, by their second."""
    rng = np.random.default_rng(1)
    samples = (rng.standard_normal(seconds * rate_hz) * 0.1).astype(np.float32)
    for second, value in places.items():
        samples[round(second * rate_hz)] = value
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")


def test_every_window_is_named_with_its_time_and_reason(edge_batch, tmp_path):
    """Neighbours in the same state for the same reason are one range; the report has them all."""
    nan, large = np.nan, np.float32(1e30)
    places = {6: nan, 11: nan, 16: large, 26: nan, 27: large, 36: nan}
    spoil(tmp_path / "a.wav", seconds=40, places=places)
    write_noise(tmp_path / "b.wav", seconds=10.4, seed=1)
    done = edge_batch(
        tmp_path, "--model", "tiny", "--out", "s.csv", "--report", "r.json", "--workers", 2
    )
    assert done.returncode == 0
    _, rows = table(tmp_path / "s.csv")
    assert list(rows) == ["a_5", "a_25", "a_35", "b_5", "b_10"]
    not_finite = "that are NaN or infinite"
    too_large = "that are absurdly large (above 1e+10, full scale being 1)"
    expected = [
        ("a.wav", 5.0, 15.0, 2, "failed", f"holds samples {not_finite}"),
        ("a.wav", 15.0, 20.0, 1, "failed", f"holds samples {too_large}"),
        ("a.wav", 25.0, 30.0, 1, "failed", f"holds samples {not_finite}, and {too_large}"),
        ("a.wav", 35.0, 40.0, 1, "failed", f"holds samples {not_finite}"),
        ("b.wav", 10.0, 15.0, 1, "skipped", "tail of 0.400 s is shorter than 1 s"),
    ]
    report = json.loads((tmp_path / "r.json").read_text())
    found = [
        (path.rpartition("/")[2], *rest)
        for path, *rest in (tuple(item.values()) for item in report["unscored"])
    ]
    assert expected == found
    assert list(report["unscored"][0]) == [
        *("path", "start_s", "end_s", "windows", "state", "reason"),
    ]
    for line in (
        "windows: 5 predicted, 1 skipped, 5 failed",
        f"failed: 3 windows: holds samples {not_finite}",
        f"failed: 1 window: holds samples {too_large}",
        f"a.wav: 5-15 s, 35-40 s: holds samples {not_finite}; 15-20 s: holds samples {too_large}; ",
        "b.wav: 10-15 s: tail of 0.400 s",
    ):
        assert line in done.stderr


def test_many_windows_are_counted_on_the_terminal_and_listed_in_the_report(edge_batch, tmp_path):
    """The terminal gets the first few of a file."""
    spoil(tmp_path / "a.wav", seconds=150, places={10.0 * n + 1: np.nan for n in range(15)})
    done = edge_batch("a.wav", "--model", "tiny", "--out", "s.csv", "--report", "r.json")
    assert "a.wav: 0-5 s, 10-15 s, 20-25 s, 30-35 s, 40-45 s and 10 more: holds" in done.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert [10.0 * n for n in range(15)] == [item["start_s"] for item in report["unscored"]]


def test_recording_of_nothing_but_nan_is_one_range(edge_batch, tmp_path):
    """Hours without a usable sample take one line, and the recording does not count as scored."""
    rate_hz = 1000
    nothing = np.full(3600 * 2 * rate_hz, np.nan, dtype=np.float32)
    soundfile.write(tmp_path / "nan.wav", nothing, rate_hz, subtype="FLOAT")
    done = edge_batch("nan.wav", "--model", "tiny", "--out", "s.csv", "--report", "r.json")
    assert done.returncode == 1
    report = json.loads((tmp_path / "r.json").read_text())
    (stretch,) = report["unscored"]
    assert (stretch["start_s"], stretch["end_s"], stretch["windows"]) == (0.0, 7200.0, 1440)
    assert report["scored"] == {}
    assert "files: 0 of 1 scored" in done.stderr


def test_recording_without_one_scored_window_is_counted_apart(edge_batch, tmp_path):
    """It was read, so that it is no failure; it has no row, so that it is not scored either."""
    spoil(tmp_path / "nan.wav", seconds=5, places={1: np.nan})
    write_noise(tmp_path / "blip.wav", seconds=0.1, seed=1)
    write_noise(tmp_path / "good.wav", seconds=5, seed=1)
    done = edge_batch(tmp_path, "--model", "tiny", "--out", "s.csv", "--report", "r.json")
    assert done.returncode == 1
    assert list(table(tmp_path / "s.csv")[1]) == ["good_5"]
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["scored"] == {"tiny@1": 1}
    assert report["failures"] == []
    unheard = {item["path"].rpartition("/")[2]: item["reason"] for item in report["unheard"]}
    assert unheard == {
        "blip.wav": "tail of 0.100 s is shorter than 1 s",
        "nan.wav": "holds samples that are NaN or infinite",
    }
    assert "files: 1 of 3 scored" in done.stderr
    assert "no window could be scored: 2" in done.stderr
