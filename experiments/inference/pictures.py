"""Which files are meant where somebody names files, folders and patterns."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from core.data.suffixes import SUFFIXES
from core.errors import InvalidValue, reason_of
from core.storage.files import is_file, is_folder


def picture_files(names: Sequence[Path]) -> tuple[list[Path], list[InvalidValue]]:
    """The files that are meant, and an error for each name that means none.

    A folder means the pictures in it, by the ends of their names, and a pattern the files that match it: `*`, `?`,
    `[...]`, and `**` for folders within folders. Both are sorted by name. The name of a file is never a pattern.
    """
    files: list[Path] = []
    errors = []
    for name in names:
        try:
            found, nothing = _meant(name)
        except OSError as error:
            found, nothing = [], f"cannot be read: {reason_of(error)}"
        files += found
        if not found:
            errors.append(
                InvalidValue("image", str(name), nothing, hint="name a file, a folder of pictures or a pattern")
            )
    return list(dict.fromkeys(files)), errors


def _meant(name: Path) -> tuple[list[Path], str]:
    """The files that a name means, and what is to be said of it where it means none.

    Raises:
        OSError: when that cannot be told.
    """
    if is_folder(name):
        found = sorted(path for path in name.iterdir() if path.suffix.lower() in SUFFIXES and is_file(path))
        return found, f"has no pictures in it ({', '.join(SUFFIXES)})"
    if glob.has_magic(str(name)) and not is_file(name):
        matches = glob.glob(str(name), recursive=True)  # noqa: PTH207  # which takes absolute patterns too
        return sorted(path for path in map(Path, matches) if is_file(path)), "is a pattern that no file matches"
    return [name], ""
