"""Files replaced as a whole: after a crash there is the old one or the new one, never a part."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

NOT_REGULAR = "not a regular file"


def open_regular(path: Path, *, follow_link: bool = False) -> BinaryIO:
    """Open a regular file for reading; anything else is refused, as reading a pipe could wait for ever.

    Args:
        follow_link: for a file that a user names. A link in a folder of ours is none of ours, and leads anywhere.

    Raises:
        OSError: when it is missing, or no regular file.
    """
    return os.fdopen(_open(path, os.O_RDONLY | (0 if follow_link else os.O_NOFOLLOW)), "rb")


def open_to_write(path: Path, flags: int = os.O_CREAT) -> int:
    """Open a file for reading and writing; a link, a pipe or a device is refused.

    Returns its handle, for the caller to close.

    Raises:
        OSError: when it cannot be written, or is no regular file.
    """
    return _open(path, os.O_RDWR | os.O_NOFOLLOW | flags)


def _open(path: Path, flags: int) -> int:
    try:
        handle = os.open(path, flags | os.O_NONBLOCK, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link that is not followed, a socket
            raise OSError(errno.EINVAL, NOT_REGULAR, str(path)) from error
        raise
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, NOT_REGULAR, str(path))


@contextmanager
def replacing(path: Path, *, keep: Path | None = None) -> Iterator[Path]:
    """Yield a temporary file beside `path` for the caller to write; it replaces `path` when the block ends well.

    The file that was at `path` is moved to `keep`, where that is given, once the new content is safe. The content is
    synced to the disk before the name changes, and the name before the block is left, so that a crash or a power cut
    at any moment leaves a whole file behind.

    Raises:
        OSError: when the folder cannot be written; `path` is then untouched.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        _sync(part, os.O_RDWR)
        if keep is not None and path.exists():
            path.replace(keep)
        part.replace(path)
        _sync(path.parent, os.O_RDONLY)
    finally:
        part.unlink(missing_ok=True)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
