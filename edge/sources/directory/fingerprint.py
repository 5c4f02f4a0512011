"""What of a recording's content tells it from others of its name, size and time."""

import os
import stat
from hashlib import blake2b
from pathlib import Path


def read_fingerprint(path: Path | str) -> tuple[str, os.stat_result]:
    """Hash both ends of a file, and say which file it was.

    Recorders on one schedule write cards whose files agree in name and size and, with FAT's two
    seconds, in modification time. At the beginning are the recorder's serial number, its battery
    and temperature, or where it writes nothing of that the first samples; at the end are the last
    ones or its metadata, where the beginning is digital silence.

    Args:
        path: A regular file; a symbolic link is not followed, and of a pipe nobody waits for.

    Returns:
        64 bits of BLAKE2b, in hexadecimal, over the first and the last 4 KiB, or over all of a file
        that is not longer than both; and what the file that was read is now.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path}: is no regular file")
        digest = blake2b(os.pread(descriptor, _END_BYTES, 0), digest_size=8)
        digest.update(
            os.pread(descriptor, _END_BYTES, max(_END_BYTES, status.st_size - _END_BYTES))
        )
    finally:
        os.close(descriptor)
    return digest.hexdigest(), status


_END_BYTES = 4096
