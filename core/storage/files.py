"""Files replaced as a whole: after a crash there is the old one or the new one, never a part."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

NOT_REGULAR = "not a regular file"
LEFT_AFTER = 600.0
"""Seconds after which a temporary file that nobody has written to belongs to no process any more."""
_MARK = "mnist-tui-"
"""What tells the temporary files and folders of this program in a folder of anybody's."""
_PART = re.compile(rf"\..+\.({_MARK})?[a-z0-9_]{{8}}")
"""The name of a temporary file of `replacing`, also of earlier versions."""
_MARKED = re.compile(rf"\..+\.{_MARK}[0-9a-f]{{8}}")
_OF_BEFORE = re.compile(r"(?=.*[a-f])[0-9a-f]{8}")
"""The end of such a name, by earlier versions. It must have a letter, as a user's own copy may end in a date."""


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


def is_folder(path: Path) -> bool:
    """Whether there is a folder, which may be a link to one.

    Raises:
        OSError: when that cannot be told, such as in a folder that may not be entered.
    """
    return stat.S_ISDIR(_mode(path))


def is_file(path: Path) -> bool:
    """Whether there is a regular file, which may be a link to one.

    Raises:
        OSError: when that cannot be told, such as in a folder that may not be entered.
    """
    return stat.S_ISREG(_mode(path))


def _mode(path: Path) -> int:
    """Of what is at a path; 0 where there is nothing, or a link that leads nowhere."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        if error.errno == errno.ELOOP:
            return 0
        raise


@contextmanager
def replacing(path: Path, *, keep: Path | None = None) -> Iterator[Path]:
    """Yield a temporary file beside `path` for the caller to write; it replaces `path` when the block ends well.

    The file that was at `path` is moved to `keep`, where that is given, once the new content is safe. The content is
    synced to the disk before the name changes, and the name before the block is left, so that a crash or a power cut
    at any moment leaves a whole file behind. What a process that was killed in doing the same has left is deleted.

    Raises:
        OSError: when the folder cannot be written; `path` is then untouched.
    """
    remove_drafts(path)
    part = _new_part(path)
    try:
        yield part
        sync(part)
        if keep is not None and path.exists():
            path.replace(keep)
        part.replace(path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def make_draft(prefix: str, folder: Path) -> Path:
    """Make a folder of a name that begins so, to be filled and then renamed, with the rights that the umask allows.

    Raises:
        OSError: when it cannot be made.
    """
    while True:
        draft = folder / f"{prefix}{os.urandom(4).hex()}"
        try:
            draft.mkdir(0o755)
            return draft
        except FileExistsError:
            continue


def remove_leftovers(folder: Path, names: Collection[str]) -> None:
    """Delete what processes that were killed in `replacing` one of these files of a folder have left there."""
    try:
        found = [entry.name for entry in os.scandir(folder) if _PART.fullmatch(entry.name)]
    except OSError:
        return
    for name in found:
        if name[1:].rpartition(".")[0] in names and is_left(folder / name):
            with suppress(OSError):
                (folder / name).unlink()


def draft_prefix(path: Path) -> str:
    """How the names of folders begin that are made beside `path`, to be it at last."""
    return f".{path.name}.{_MARK}"


def remove_drafts(path: Path, *, of_all: bool = False) -> None:
    """Delete what processes that were killed before they gave it this name have left beside it, a file or a folder;
    `of_all` names, where no other process may take long to write in that folder."""
    prefix = draft_prefix(path)
    old = f".{path.name}."
    with suppress(OSError):
        names = [entry.name for entry in os.scandir(path.parent) if entry.name.startswith(".")]
        ours = [name for name in names if _MARKED.fullmatch(name) and (of_all or name.startswith(prefix))]
        ours += [name for name in names if name.startswith(old) and _OF_BEFORE.fullmatch(name.removeprefix(old))]
        for draft in map(path.with_name, ours):
            if is_left(draft) and all(map(is_left, draft.rglob("*"))):
                remove(draft)


def remove(path: Path) -> None:
    """Delete a file, or a folder with all that is in it; of a link only the link.

    Raises:
        OSError: when it cannot be deleted.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def is_left(path: Path) -> bool:
    """Whether nobody has written a temporary file or folder for so long that its process must have been killed."""
    try:
        return time.time() - path.lstat().st_mtime > LEFT_AFTER
    except OSError:
        return False


def _new_part(path: Path) -> Path:
    """An empty file beside `path`, with the rights that the umask allows."""
    while True:
        part = path.with_name(f"{draft_prefix(path)}{os.urandom(4).hex()}")
        try:
            os.close(_open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW))
            return part
        except FileExistsError:
            continue


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Raises:
        OSError: when that cannot be.
    """
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
