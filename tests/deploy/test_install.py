"""Tests of putting the service onto a station and taking it off."""

import pytest
from service import BUILT

INSTALL = "/opt/checkout/deploy/install.sh"
REMOVE = "/opt/checkout/deploy/remove.sh"


def test_one_command_installs_a_running_service(service):
    """After the installer the service is enabled and ready, and `edge` is a command."""
    service.clear()
    service.machine.run(INSTALL, "--venv", BUILT)
    assert service.machine.run("systemctl", "is-enabled", "edge.service") == "enabled\n"
    assert service.machine.run("systemctl", "is-active", "edge.service") == "active\n"
    assert "stsg-esc10" in service.machine.run("edge", "models", "list")
    assert service.machine.run("stat", "-c", "%U %a", "/var/lib/edge") == "edge 750\n"


def test_an_upgrade_keeps_what_the_station_has(service):
    """Installing again keeps the configuration and the store, and starts the service anew."""
    service.record("20240501_061500.wav", seconds=12)
    service.start()
    service.wait(lambda: service.windows() >= 2, what="two windows")
    pid = service.show("MainPID")
    service.configure(model="stsg-demo")
    before = service.file("/etc/edge/edge.yaml").read_text()
    service.machine.run(INSTALL, "--venv", BUILT, "--example", "rtsp-camera")
    assert service.file("/etc/edge/edge.yaml").read_text() == before
    assert service.windows() >= 2
    assert service.show("MainPID") not in (pid, "0")


@pytest.mark.parametrize(
    ("example", "opened"),
    [("audiomoth-reader", None), ("usb-microphone", "microphone"), ("rtsp-camera", "rtsp")],
)
def test_each_example_is_a_configuration_with_its_sandbox(service, example, opened):
    """An example is put in place where there is none, and the sandbox lets its source through."""
    service.clear()
    service.machine.run(INSTALL, "--venv", BUILT, "--example", example, "--no-start")
    drop_ins = service.show("DropInPaths").split()
    folder = "/etc/systemd/system/edge.service.d"
    assert drop_ins == ([f"{folder}/{opened}.conf"] if opened else [])
    assert service.show("PrivateDevices") == ("no" if opened == "microphone" else "yes")
    assert service.show("PrivateNetwork") == ("no" if opened == "rtsp" else "yes")
    assert service.show("ActiveState") == "inactive"


def test_model_files_are_taken_along(service):
    """Files that models need from elsewhere are copied to where the service finds them."""
    source = service.file("/tmp/files/yamnet")
    source.mkdir(parents=True, mode=0o700)
    (source / "yamnet_class_map.csv").write_text("index\n")
    service.machine.run(INSTALL, "--venv", BUILT, "--no-start", "--model-files", "/tmp/files")
    copied = "/opt/edge/model-files/yamnet/yamnet_class_map.csv"
    assert (
        service.machine.run("setpriv", "--reuid=edge", "--clear-groups", "cat", copied) == "index\n"
    )
    assert "EDGE_MODEL_FILES=/opt/edge/model-files" in service.show("Environment")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--example", "parrot"], "no example called parrot"),
        (["--venv", "/nowhere"], "--venv /nowhere: holds no bin/python"),
        (["--model-files", "/nowhere"], "--model-files /nowhere: is no folder"),
        (["--venv"], "--venv wants a value"),
        (["--fast"], "unknown argument: --fast"),
    ],
)
def test_what_cannot_be_changes_nothing(service, arguments, complaint):
    """A wrong argument is named before anything is changed."""
    service.clear()
    done = service.machine.call(INSTALL, *arguments)
    assert (done.returncode, complaint in done.stderr) == (1, True)
    assert not service.path_exists("/etc/edge")
    assert not service.path_exists("/opt/edge")


def test_a_python_in_someones_home_is_refused(service):
    """The service sees no home, so a virtual environment there cannot run it."""
    service.clear()
    service.machine.run("cp", "-R", BUILT, "/root/built")
    done = service.machine.call(INSTALL, "--venv", "/root/built")
    assert (done.returncode, "the service sees nobody's home" in done.stderr) == (1, True)
    assert not service.path_exists("/opt/edge")


def test_removing_leaves_what_was_heard(service):
    """The service and its program go; the store and the configuration stay."""
    service.start()
    service.machine.run(REMOVE)
    assert service.show("LoadState") == "not-found"
    assert not service.path_exists("/opt/edge/venv")
    assert not service.path_exists("/usr/local/bin/edge")
    assert service.path_exists("/var/lib/edge/edge.db")
    assert service.path_exists("/etc/edge/edge.yaml")
    # The virtual environment was given, not made.
    assert service.path_exists(f"{BUILT}/bin/python")


def test_a_purge_leaves_nothing(service):
    """`--purge` takes the data, the configuration and the user as well; twice is no fault."""
    service.start()
    service.machine.run(REMOVE, "--purge")
    service.machine.run(REMOVE, "--purge")
    for path in ("/opt/edge", "/etc/edge", "/var/lib/edge", "/etc/systemd/system/edge.service.d"):
        assert not service.path_exists(path)
    assert service.machine.call("getent", "passwd", "edge").returncode == 2
