"""The rows of the daemon: each runs `edge run` on one core and looks at it from another."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.fed_station import Station, off_the_first_core, read_minute
from benchmarks.material import RATE_HZ, Material
from benchmarks.table import line
from benchmarks.timing import program, run

from edge.contracts import AudioBlock, FloatArray, Prediction
from edge.load import load_model
from edge.pipeline import score

WINDOW = 5 * RATE_HZ
CHUNK = RATE_HZ // 4
FLOATS = {"stdin": {"sample_rate": RATE_HZ, "format": "f32le"}}
IMPORTS = "import numpy, scipy.fft, onnxruntime, faiss"


def ready(material: Material) -> None:
    """From the start of the process to READY=1, and memory once it has scored."""
    with off_the_first_core():
        sound = read_minute(material.few)[: 4 * WINDOW].tobytes()
        with _station(model=str(material.model), source=FLOATS):
            pass  # the first start compiles
        for name, model in _models(material):
            walls, cpus, ratios, residents = [], [], [], []
            for _ in range(1 if material.quick else 5):
                bare_s = run([sys.executable, "-c", IMPORTS]).wall_s
                with _station(model=model, source=FLOATS) as station:
                    station.write(sound)
                    station.wait_accounted(4 * WINDOW)
                    time.sleep(2.0)
                    residents.append(station.resident_mb())
                walls.append(station.ready_s)
                cpus.append(station.ready_cpu_s)
                ratios.append(station.ready_s / bare_s)
            line(
                f"daemon, start to ready, s; {name}",
                "1.0",
                "0.5",
                statistics.median(walls),
                f"{statistics.median(cpus):.2f} CPU s; "
                f"{statistics.median(ratios):.2f} x importing what it runs on",
            )
            line(
                f"daemon, resident after 4 windows, MB; {name}",
                "150",
                "110",
                f"{statistics.median(residents):.0f}",
            )


def latency(material: Material) -> None:
    """From the last sample of a window written to its window committed."""
    count = 20 if material.quick else 240
    minute = read_minute(material.few)
    took_ms = []
    with off_the_first_core(), _station(model=str(material.model), source=FLOATS) as station:
        before_s = station.cpu_s()
        for number in range(count):
            window = np.take(minute, np.arange(number * WINDOW, (number + 1) * WINDOW), mode="wrap")
            chunks = [window[first : first + CHUNK].tobytes() for first in range(0, WINDOW, CHUNK)]
            for chunk in chunks[:-1]:
                station.write(chunk)
                time.sleep(CHUNK / RATE_HZ / _SPEED)
            written_s = time.perf_counter()
            station.write(chunks[-1])
            station.wait_accounted((number + 1) * WINDOW, tightly=True)
            took_ms.append((time.perf_counter() - written_s) * 1e3)
            time.sleep(CHUNK / RATE_HZ / _SPEED)
        cpu_ms = (station.cpu_s() - before_s) / count * 1e3
    middle, late = np.percentile(took_ms, [50, 99])
    line(
        "daemon, last sample in to window committed, p99, ms",
        "50",
        "15",
        f"{late:.1f}",
        f"p50 {middle:.1f}, longest {max(took_ms):.1f}, of {count}; {cpu_ms:.1f} CPU ms a window",
    )


def streams(material: Material) -> None:
    """Many streams in real time on one core."""
    for count in (100,) if material.quick else (100, 400):
        _hear(count, 8.0 if material.quick else 30.0, material)


def written(material: Material) -> None:
    """Bytes for an hour of sound with something to hear in every tenth window."""
    hour = 72 if material.quick else 720
    quiet, loud, label, level = _telling_windows(material)
    post = [{"threshold": {"default": 1.0, "labels": {label: level}}}]
    sinks = [{"jsonl": {"path": "heard.jsonl"}}]
    for name, more in (("no sink", {}), ("a jsonl sink", {"sinks": sinks})):
        with (
            off_the_first_core(),
            _station(model=str(material.model), source=FLOATS, post=post, **more) as station,
        ):
            before = [count - station.log_bytes() for count in station.written()]
            for number in range(hour):
                station.write((loud if number % 10 == 9 else quiet).tobytes())
            station.wait_accounted(hour * WINDOW)
            time.sleep(1.0)
            after = [count - station.log_bytes() for count in station.written()]
            asked, sent = ((b - a) / hour * 720 / 1e6 for a, b in zip(before, after, strict=True))
            line(
                f"daemon, written for an hour of sound, MB; {name}",
                "1.0",
                "0.3",
                asked,
                f"{sent:.2f} of pages; {station.detections()} detections in {hour} windows",
            )


def growth(material: Material) -> None:
    """Memory after many windows."""
    count = 5_000 if material.quick else 100_000
    minute = read_minute(material.few)[:: RATE_HZ // _SLOW_HZ]
    sound = np.clip(np.round(minute * 127 + 128), 0, 255).astype(np.uint8).tobytes()
    window = 5 * _SLOW_HZ
    windows = [sound[first : first + window] for first in range(0, len(sound) - window, window)]
    source = {"stdin": {"sample_rate": _SLOW_HZ, "format": "u8"}}
    with off_the_first_core(), _station(model=str(material.model), source=source) as station:
        resident = []
        for number in range(count):
            station.write(windows[number % len(windows)])
            if number + 1 in (1_000, count // 2, count):
                # To resample the last window takes sound from beyond it.
                station.wait_accounted(number * window)
                resident.append(station.resident_mb())
        first, middle, last = resident
        line(
            f"daemon, memory after {count} windows, less after 1 000, MB",
            "5",
            "0",
            f"{last - first:+.1f}",
            f"{first:.1f}, {middle:.1f}, {last:.1f}; {station.detections()} detections",
        )


def _hear(count: int, seconds: float, material: Material) -> None:
    """Print how one core bears so many streams for so long."""
    with off_the_first_core(), tempfile.TemporaryDirectory() as place:
        raw = Path(place) / "sound.raw"
        raw.write_bytes((read_minute(material.few) * 32767).astype("<i2").tobytes())
        paths = [str(Path(place) / f"pipe-{number:03d}") for number in range(count)]
        for path in paths:
            os.mkfifo(path)
        pipes = [
            {
                "name": Path(path).name,
                "fifo": {"path": path, "sample_rate": RATE_HZ, "format": "s16le"},
            }
            for path in paths
        ]
        with _station(model=str(material.model), source=pipes) as station:
            feeder = subprocess.Popen(
                program("feed_pipes", str(raw), str(RATE_HZ), str(seconds), *paths),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert feeder.stdin is not None
            assert feeder.stdout is not None
            # The streams begin one after the other within 5 s, so that windows do not end together.
            time.sleep(6.0)
            before = station.cpu_s(), time.perf_counter()
            fed = json.loads(feeder.stdout.readline())
            share = (station.cpu_s() - before[0]) / (time.perf_counter() - before[1])
            time.sleep(CHUNK / RATE_HZ)
            accounted, unheard = station.accounted(), station.unheard()
            resident_mb = station.resident_mb()
            feeder.stdin.close()
            feeder.wait()
        lags = [
            (samples - accounted.get(Path(path).name, 0)) / RATE_HZ
            for path, samples in zip(paths, fed["samples"], strict=True)
        ]
        line(
            f"daemon, streams that one core carries, by what {count} took of it",
            "100",
            "400",
            f"{count / share:.0f}",
            f"{100 * share:.0f} % of the core; {sum(lag < 5.0 for lag in lags)} of {count} less "
            f"than a window behind, the last {max(lags):.1f} s; {unheard} windows not heard, "
            f"{fed['full']} chunks found a pipe full; {resident_mb:.0f} MB",
        )


def _telling_windows(material: Material) -> tuple[FloatArray, FloatArray, str, float]:
    """Find two windows, a label, and a level that it reaches in the second window only."""
    minute = read_minute(material.few)
    model = load_model(material.model)
    outcomes = score([AudioBlock("minute", 0, RATE_HZ, minute)], model)
    scores = np.array([one.scores for one in outcomes if isinstance(one, Prediction)])
    label = int(np.argmax(np.ptp(scores, axis=0)))
    found = scores[:, label]
    quiet, loud = (minute[at * WINDOW :][:WINDOW] for at in (found.argmin(), found.argmax()))
    return quiet, loud, model.info.labels[label], float(found.min() + found.max()) / 2


def _models(material: Material) -> list[tuple[str, str]]:
    return [("full size", str(material.model)), ("stsg-esc10", "stsg-esc10")]


@contextmanager
def _station(**config: Any) -> Iterator[Station]:
    with tempfile.TemporaryDirectory() as place, Station(Path(place), **config) as station:
        yield station


_SPEED = 10.0
"""How many times faster than it lasts the sound is written."""
_SLOW_HZ = 8_000
