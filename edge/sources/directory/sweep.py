"""Looking through the folders: what is there, what cannot be looked at, what cannot be watched."""

import errno
import os
import stat
from collections.abc import Callable, Generator
from pathlib import Path

from edge.sources.directory.records import Trouble
from edge.sources.directory.watching import Watching

Found = tuple[str, os.stat_result]
"""A regular file with an audio file's name, and what it is now."""


class Sweep:
    """Lists folders step by step, and arms their watches before it does.

    Symbolic links are passed over, whatever they lead to; only the folder itself may be one. Names
    with a leading dot are passed over, too. What is no regular file is never opened.

    Args:
        root: Path of the folder, absolute.
        recursive: Whether folders inside are listed, too.
        is_audio: Tells by its name whether a file is of interest.
        watching: What is told of folders that were listed.
    """

    def __init__(
        self, root: str, *, recursive: bool, is_audio: Callable[[str], bool], watching: Watching
    ) -> None:
        self._root = root
        self._recursive = recursive
        self._is_audio = is_audio
        self._watching = watching
        self._folders: list[str] = []
        self._steps: Generator[Found | None] | None = None
        self._listed: set[str] = set()
        self._trouble: dict[str, Trouble] = {}
        self._refused: dict[str, str] = {}
        self._share = ""
        self._was_mounted = self._is_bare = False
        self.whole = False
        """Whether everything is being listed, not only folders that are new."""

    @property
    def running(self) -> bool:
        """Whether something is left to list."""
        return bool(self._folders) or self._steps is not None

    @property
    def is_root_listed(self) -> bool:
        """Whether the folder itself could be listed."""
        return self._root not in self._trouble

    @property
    def polling(self) -> str:
        """Why the kernel does not tell everything, so that sweeps must; empty where it does."""
        return self._share or min(self._refused.values(), default="")

    @property
    def trouble(self) -> list[Trouble]:
        """What is wrong, by folder."""
        found = [self._trouble[folder] for folder in sorted(self._trouble)]
        if self._is_bare and self.is_root_listed:
            found.append(
                Trouble(
                    self._root,
                    "the disk that was mounted here was taken away",
                    "mount it again; between two cards it is as it should be",
                )
            )
        if self._refused:
            found.append(
                Trouble(
                    self._root,
                    f"new files are found by looking only: {min(self._refused.values())}",
                    "raise fs.inotify.max_user_watches or fs.inotify.max_user_instances (sysctl); "
                    f"it is so in {len(self._refused)} of {len(self._listed)} folders",
                )
            )
        return found

    def start_whole(self) -> None:
        """List everything from the folder itself down."""
        self.whole = True
        self._listed.clear()
        self._folders.append(self._root)
        try:
            self._watching.start()
        except OSError as reason:
            self._refused[self._root] = reason.strerror or str(reason)

    def add(self, folder: str) -> None:
        """List one folder, and those below it, if it is there."""
        self._folders.append(folder)

    def stop(self) -> None:
        """Forget what is left to list."""
        if self._steps is not None:
            self._steps.close()
        self._steps = None
        self._folders.clear()
        self.whole = False

    def step(self) -> Found | None:
        """Look at one entry of a folder; return it if it is a file of interest."""
        if self._steps is None:
            self._steps = self._list_all()
        try:
            return next(self._steps)
        except StopIteration:
            self._steps = None
        if self.whole:
            self.whole = False
            self._watching.keep_only(self._listed)
            for by_folder in (self._trouble, self._refused):
                for folder in by_folder.keys() - self._listed:
                    del by_folder[folder]
        return None

    def _list_all(self) -> Generator[Found | None]:
        while self._folders:
            folder = self._folders.pop()
            self._listed.add(folder)
            try:
                yield from self._list(folder)
            except (FileNotFoundError, NotADirectoryError) as reason:
                # One that went away is wrong only if it is the folder itself.
                self._listed.discard(folder)
                self._trouble.pop(folder, None)
                if folder == self._root:
                    self._listed.add(folder)
                    self._trouble[folder] = _trouble(folder, reason)
            except OSError as reason:
                self._trouble[folder] = _trouble(folder, reason)
            else:
                self._trouble.pop(folder, None)

    def _list(self, folder: str) -> Generator[Found | None]:
        is_root = folder == self._root
        status = os.stat(folder, follow_symlinks=is_root)
        if is_root:
            self._share = polled_kind(status.st_dev)
            above = os.stat(os.path.join(os.path.realpath(folder), os.pardir))
            mounted = status.st_dev != above.st_dev
            self._is_bare = self._was_mounted and not mounted
            self._was_mounted |= mounted
        self._arm(folder, status, follow=is_root)
        # What comes after this is told, what came before is listed: nothing falls between.
        with os.scandir(folder) as entries:
            for entry in entries:
                yield self._look_at(entry)

    def _look_at(self, entry: os.DirEntry[str]) -> Found | None:
        if entry.name.startswith("."):
            return None
        try:
            if entry.is_dir(follow_symlinks=False):
                if self._recursive:
                    self._folders.append(entry.path)
            elif self._is_audio(entry.name):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    return entry.path, status
        except FileNotFoundError:
            pass
        return None

    def _arm(self, folder: str, status: os.stat_result, *, follow: bool) -> None:
        if not self._watching.works:
            return
        try:
            self._watching.arm(folder, status, follow=follow)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            # Listing it will fail as well, and say so.
            self._refused.pop(folder, None)
        except OSError as reason:
            self._refused[folder] = reason.strerror or str(reason)
        else:
            self._refused.pop(folder, None)


def polled_kind(device: int, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """Say why inotify cannot tell of a file system what other machines do there; else nothing.

    Args:
        device: The number of the device, as `stat` gives it.
        mounts: The kernel's table of mounts (proc(5)).
    """
    place = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        kind = after.partition(" ")[0]
        if place in before.split(" ")[2:3] and kind.partition(".")[0] in _SHARES:
            return f"a {kind} file system does not tell what is written by others"
    return ""


def _trouble(folder: str, reason: OSError) -> Trouble:
    what, remedy = _KNOWN.get(
        reason.errno or 0,
        (f"cannot be listed: {reason.strerror or reason}", "check the disk or the share"),
    )
    return Trouble(folder, what, remedy)


_NO_PERMISSION = (
    "may not be looked into",
    "let the user that edge runs as read and enter it (chmod, chown or an ACL)",
)
_KNOWN = {
    errno.ENOENT: ("is not there", "create or mount it; it is found as soon as it is there"),
    errno.ENOTDIR: ("is not a folder", "name a folder, or put one there"),
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
}
_SHARES = frozenset(
    ["9p", "afs", "ceph", "cifs", "fuse", "fuseblk", "nfs", "nfs4", "smb3", "vboxsf", "virtiofs"]
)
