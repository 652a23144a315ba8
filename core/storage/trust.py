"""What another user could have put where this program would load it: code that was compiled, data that was decoded.

A file is trusted when this user or root made it and nobody else can change it or anything on the way to it. Its name
and its own sum say nothing, as anybody can work them out.
"""

from __future__ import annotations

import atexit
import grp
import logging
import os
import pwd
import shutil
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

import platformdirs

MAX_LINKS = 40
"""Symbolic links on the way to a file, as many as Linux follows."""

_log = logging.getLogger(__name__)


def others_access(path: Path) -> str:
    """How somebody else could change a file, or what is not there yet, in words; empty when nobody but this user and
    root can.

    Every folder and link on the way counts, too. In a folder that all can write but whose sticky bit is set, as it is
    in /tmp, nobody can rename or replace what others have there.
    """
    here, ahead, links = Path("/"), list(path.absolute().parts[1:]), 0
    while True:
        try:
            found = here.lstat()
        except OSError:
            return ""  # not there, and only who may write the folder could make it
        if found.st_uid not in (0, os.geteuid()):
            return f"{here} belongs to another user"
        if stat.S_ISLNK(found.st_mode):
            if (links := links + 1) > MAX_LINKS:
                return f"{here} is a broken link"
            ahead = [*here.readlink().parts, *ahead]
            here = here.parent
        elif _is_written_by_others(here, found) and not (found.st_mode & stat.S_ISVTX and ahead):
            return f"{here} can be changed by other users"
        if not ahead:
            return ""
        step = ahead.pop(0)
        here = Path("/") if step == "/" else here.parent if step == ".." else here / step


def is_trusted(path: Path, instead: str) -> bool:
    """Whether nobody else could have changed a file; where somebody could, that is logged, once a process.

    Args:
        instead: what is done without the file, for the log.
    """
    reason = others_access(path)
    if reason:
        _warn(reason, instead)
    return not reason


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those on the way that are missing, for this user alone.

    Raises:
        OSError: when it cannot be made.
    """
    if not folder.is_dir():
        make_private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def user_cache() -> Path:
    """The folder for what can be made anew, of this program and user; a temporary one where the user has no home."""
    try:
        return platformdirs.user_cache_path("mnist-tui", appauthor=False)
    except RuntimeError:
        return private_temporary_folder()


@cache
def private_temporary_folder() -> Path:
    """A folder for this process alone, deleted at its end.

    Raises:
        OSError: when it cannot be made where nobody else can change it.
    """
    folder = Path(tempfile.mkdtemp(prefix="mnist-tui-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if reason := others_access(folder):
        raise PermissionError(None, reason)
    return folder


@cache
def _warn(reason: str, instead: str) -> None:
    _log.warning("%s, so %s", ascii(reason)[1:-1], instead)


def _is_written_by_others(path: Path, found: os.stat_result) -> bool:
    if found.st_mode & stat.S_IWOTH:
        return True
    # Where there is an access list, the bits of the group are those of everybody on it.
    return bool(found.st_mode & stat.S_IWGRP) and (not _is_own_group(found.st_gid) or _has_access_list(path))


def _has_access_list(path: Path) -> bool:
    try:
        return sys.platform == "linux" and "system.posix_acl_access" in os.listxattr(path)
    except OSError:
        return False


@cache
def _is_own_group(group: int) -> bool:
    """Whether a group has this user alone, as many systems give one to each user."""
    try:
        entry, user = grp.getgrgid(group), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return entry.gr_name == user.pw_name and user.pw_gid == group and set(entry.gr_mem) <= {user.pw_name}
