"""What opens ONNX files."""

import os
import subprocess
import sys

from tiny_stsg import write_tiny_stsg


def test_nothing_is_reported_to_anybody(tmp_path):
    """onnxruntime's telemetry leaves its identity where temporary files go; here it does not."""
    write_tiny_stsg(tmp_path / "tiny")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-m", "edge", "models", "verify", str(tmp_path / "tiny")],
        env={**environment, "TMPDIR": str(temporary)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [*temporary.iterdir()] == []
