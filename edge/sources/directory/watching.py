"""What the kernel tells of folders: files closed or moved in, folders that come and go.

watchdog's `Observer` keeps to itself that events were lost and that a folder could not be watched,
and it holds renames back for half a second; so what it stands on, `InotifyFD`, is used here.
"""

import errno
import itertools
import os
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)


@dataclass(slots=True)
class News:
    """What was told since the last time; hints, in no order."""

    files: dict[str, int] = field(default_factory=dict)
    """When each was closed or moved in, in nanoseconds of the wall clock; 0 if only created."""
    folders: set[str] = field(default_factory=set)
    """Folders that came, went or were moved."""
    lost: bool = False
    """Something was not told, or did not fit in here."""

    def __bool__(self) -> bool:
        return bool(self.files or self.folders or self.lost)


class Watching:
    """inotify watches on folders. Events are gathered, up to a bound, on a thread of their own.

    Watches and news are for one thread; what events do is safe beside it.

    Args:
        name: Of the thread.
        is_audio: Tells by its name whether a file is of interest; also on the thread of events.
        wake: Called on the thread of events when there is news where there was none.
    """

    def __init__(
        self, name: str, *, is_audio: Callable[[str], bool], wake: Callable[[], None]
    ) -> None:
        self._name = name
        self._is_audio = is_audio
        self._wake = wake
        self._inotify: InotifyFD | None = None
        self._folders: dict[str, _Folder] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._news = News()

    @property
    def works(self) -> bool:
        """Whether anything can be told at all."""
        return self._inotify is not None and self._inotify.is_alive()

    @property
    def has_news(self) -> bool:
        """Whether `take` would return any."""
        with self._lock:
            return bool(self._news)

    def start(self) -> None:
        """Begin, if it does not go on already.

        Raises:
            OSError: There are too many inotify instances, or there is no inotify here.
        """
        if self.works:
            return
        self.close()
        self._inotify = InotifyFD()
        self._inotify.name = self._name
        self._inotify.start()

    def close(self) -> None:
        """End all watches and the thread."""
        if self._inotify is not None:
            self._inotify.stop()
            self._inotify.join()
        self._inotify = None
        self._folders.clear()

    def take(self) -> News:
        """Return the news and begin anew."""
        with self._lock:
            news, self._news = self._news, News()
        return news

    def arm(self, folder: str, status: os.stat_result, *, follow: bool) -> None:
        """Watch a folder, unless it is watched and still the same.

        Args:
            folder: Its path.
            status: What it is now.
            follow: Whether it may be a symbolic link.

        Raises:
            OSError: It cannot be watched; ENOSPC where there are too many watches.
        """
        known = self._folders.get(folder)
        identity = status.st_dev, status.st_ino
        if self._inotify is None:
            return
        if known is not None:
            # A folder that was made anew may have the inode of the one before it.
            if not known.gone and known.identity == identity:
                return
            self._remove([folder])
        # A folder that was renamed may still be watched under its old name: for the kernel the two
        # are one watch, and the number tells them apart.
        number = CallbackId(next(self._numbers))
        watch = _Folder(self, folder, identity, number=number, is_audio=self._is_audio)
        mask = _EVENTS if follow else Mask(_EVENTS | InotifyConstants.IN_DONT_FOLLOW)
        watch.place = self._inotify.add_callback(os.fsencode(folder), mask, watch, number)
        if watch.place < 0:
            # The library is silent where permission is missing.
            self._inotify.remove_callbacks([(watch.place, number)])
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        self._folders[folder] = watch

    def keep_only(self, folders: Collection[str]) -> None:
        """Watch no other folders any more."""
        self._remove([path for path in self._folders if path not in folders])

    def _remove(self, folders: Collection[str]) -> None:
        gone = [self._folders.pop(path) for path in folders]
        if self._inotify is not None and gone:
            self._inotify.remove_callbacks([(watch.place, watch.number) for watch in gone])

    def tell(self, *, file: str = "", closed_ns: int = 0, folder: str = "") -> None:
        """Add to the news; without a name, that some were lost. Called on the thread of events."""
        with self._lock:
            news = self._news
            first = not news
            if file and (file in news.files or len(news.files) < _MOST_FILES):
                news.files[file] = closed_ns
            elif folder and len(news.folders) < _MOST_FOLDERS:
                news.folders.add(folder)
            else:
                news.lost = True
        if first:
            self._wake()


class _Folder:
    """One folder's watch; what watchdog calls a `WatchCallback`."""

    __slots__ = ("_is_audio", "_watching", "gone", "identity", "number", "path", "place")

    def __init__(
        self,
        watching: Watching,
        path: str,
        identity: tuple[int, int],
        *,
        number: CallbackId,
        is_audio: Callable[[str], bool],
    ) -> None:
        self._watching = watching
        self._is_audio = is_audio
        self.path = path
        self.identity = identity
        """Device and inode."""
        self.gone = False
        """Whether it was deleted, moved or unmounted."""
        self.number = number
        self.place = WatchDescriptor(-1)

    def on_event(self, event: InotifyEvent) -> None:
        """Something happened in the folder or, where no name is given, to it."""
        name = os.fsdecode(event.name)
        if not name:
            self.gone = True
            self._watching.tell(folder=self.path)
        elif name.startswith("."):
            return
        elif event.is_directory:
            self._watching.tell(folder=os.path.join(self.path, name))
        elif self._is_audio(name) and not event.is_moved_from:
            closed_ns = 0 if event.is_create else time.time_ns()
            self._watching.tell(file=os.path.join(self.path, name), closed_ns=closed_ns)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """The event before this one has told that the folder was deleted or unmounted."""

    def on_queue_overflow(self) -> None:
        """The kernel dropped events."""
        self._watching.tell()


_EVENTS = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_EXCL_UNLINK
    | InotifyConstants.IN_ONLYDIR
)
"""Not writing: a file that grows for an hour is to cost nothing."""
_MOST_FILES = 16_384
_MOST_FOLDERS = 1_024
