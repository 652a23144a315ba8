"""Which files are meant where somebody names files, folders and patterns."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from core.data.suffixes import SUFFIXES
from core.errors import InvalidValue


def picture_files(names: Sequence[Path]) -> tuple[list[Path], list[InvalidValue]]:
    """The files that are meant, and an error for each name that means none.

    A folder means the pictures in it, by the ends of their names, and a pattern the files that match it: `*`, `?`,
    `[...]`, and `**` for folders within folders. Both are sorted by name. The name of a file is never a pattern.
    """
    files: list[Path] = []
    errors = []
    for name in names:
        if name.is_dir():
            found = sorted(path for path in name.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
            nothing = f"has no pictures in it ({', '.join(SUFFIXES)})"
        elif glob.has_magic(str(name)) and not name.exists():
            matches = glob.glob(str(name), recursive=True)  # noqa: PTH207  # which takes absolute patterns too
            found = sorted(path for path in map(Path, matches) if path.is_file())
            nothing = "is a pattern that no file matches"
        else:
            found, nothing = [name], ""
        files += found
        if not found:
            errors.append(
                InvalidValue("image", str(name), nothing, hint="name a file, a folder of pictures or a pattern")
            )
    return list(dict.fromkeys(files)), errors
