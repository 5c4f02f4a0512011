"""What to do about trouble, in the words of the machine that it is on."""

import grp
import os
import shlex
import sys
from pathlib import Path


def permission_remedy(path: Path) -> str:
    """Say what to do about a file that may not be read: mostly, to be in the group that may."""
    for place in (*reversed(path.absolute().parents), path):
        try:
            status = place.stat()
        except OSError:
            break
        is_folder = place.is_dir()
        if os.access(place, os.X_OK if is_folder else os.R_OK):
            continue
        group = status.st_gid
        lets_in = status.st_mode & (0o010 if is_folder else 0o040)
        if not lets_in or group in (0, os.getegid(), *os.getgroups()):
            break
        try:
            name = grp.getgrgid(group).gr_name
        except KeyError:
            break
        return f"be in the group {name}: sudo usermod -aG {name} $USER, then log in again"
    return "check the path and its permissions"


def for_this_python(remedy: str) -> str:
    """Let a command of pip be that of the Python that runs; another one's would not help.

    It is isolated (-I), as root may run it in any folder.

    Args:
        remedy: Returned as it is where it does not begin with `pip `.
    """
    if not remedy.startswith("pip ") or not sys.executable:
        return remedy
    sudo = "" if os.access(sys.prefix, os.W_OK) else "sudo "
    return f"{sudo}{shlex.quote(sys.executable)} -I -m {remedy}"
