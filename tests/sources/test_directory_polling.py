"""Where the kernel tells nothing, or not all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from watched_folder import watch, wav

from edge.sources.directory.sweep import polled_kind

IN_A_NAMESPACE = """
import json, sys
from pathlib import Path
from watched_folder import SETTLE_S, SetClock, watch, wav

folder, limit, raised = Path(sys.argv[1]), Path("/proc/sys/user") / sys.argv[2], sys.argv[4]
limit.write_text(sys.argv[3])
for name in "abcd":
    (folder / name).mkdir()
clock, said = SetClock(), []
with watch(folder, clock=clock) as taker:
    def say():
        troubles = [(trouble.where, trouble.what) for trouble in taker.directory.trouble]
        said.append([taker.directory.polling, troubles, taker.directory.next_look_s])
    say()
    for name in "abcd":
        (folder / name / f"{name}.wav").write_bytes(wav())
    clock.passed_s += SETTLE_S
    taker.until(lambda: len(taker.got) + len(taker.waiting) == 4)
    clock.passed_s += SETTLE_S
    taker.until(lambda: len(taker.got) == 4)
    limit.write_text(raised)
    clock.passed_s += SETTLE_S
    taker.sweep()
    say()
    (folder / "d" / "e.wav").write_bytes(wav())
    taker.until(lambda: len(taker.got) == 5)
print(json.dumps(said))
"""


@pytest.mark.parametrize(
    ("limit", "value", "says"),
    [
        ("max_inotify_watches", 3, "inotify watch limit reached"),
        ("max_inotify_instances", 0, "inotify instance limit reached"),
    ],
)
def test_at_the_limit_of_inotify_the_folder_is_looked_through(tmp_path, limit, value, says):
    """Each settle time, and it is said; until the limit is raised."""
    script = tmp_path / "in_a_namespace.py"
    script.write_text(IN_A_NAMESPACE)
    folder = tmp_path / "watched"
    folder.mkdir()
    enter = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*enter, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespace can be made here")
    ended = subprocess.run(
        [*enter, sys.executable, script, folder, limit, str(value), "100"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
    )
    assert ended.returncode == 0, ended.stderr
    before, after = json.loads(ended.stdout)
    what = f"new files are found by looking only: {says}"
    assert before == [says, [[str(folder), what]], 10.0]
    assert after == ["", [], 600.0]


MOUNTS = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 27 0:41 / /mnt/share rw,relatime shared:1 - nfs4 server:/birds rw,vers=4.2
32 27 0:42 / /mnt/a\\040b rw,relatime - cifs //server/birds rw
33 27 0:43 / /mnt/card rw,relatime master:2 propagate_from:1 - fuse.sshfs pi@box:/ rw
34 27 8:1 / /mnt/usb rw,relatime - vfat /dev/sda1 rw
"""


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ((254, 0), ""),
        ((0, 41), "nfs4"),
        ((0, 42), "cifs"),
        ((0, 43), "fuse.sshfs"),
        ((8, 1), ""),
        ((0, 4), ""),
    ],
)
def test_shares_are_known_by_their_kind(tmp_path, device, kind):
    """What other machines write there is told to nobody here."""
    (tmp_path / "mountinfo").write_text(MOUNTS)
    said = polled_kind(os.makedev(*device), tmp_path / "mountinfo")
    assert said == (kind and f"a {kind} file system does not tell what is written by others")


def test_a_disk_of_this_machine_is_no_share(tmp_path):
    """The kernel's own table is read."""
    assert polled_kind(os.stat("/dev/shm").st_dev) == ""
    with watch(tmp_path) as taker:
        (tmp_path / "a.wav").write_bytes(wav())
        taker.until_taken("a.wav")
        assert taker.directory.polling == polled_kind(tmp_path.stat().st_dev)


def test_without_a_table_of_mounts_nothing_is_polled(tmp_path):
    """A sandbox may hide it."""
    assert polled_kind(0, tmp_path / "nothing") == ""
