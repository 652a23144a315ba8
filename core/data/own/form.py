"""Finds out in which form somebody's own data are. Needs no torch."""

from __future__ import annotations

import stat
from pathlib import Path

from core.data.own.arrays import ArrayFile
from core.data.own.images import ImageFolder
from core.data.own.pairs import IdxFolder
from core.data.own.parts import Form
from core.data.own.tables import TableFiles, is_table
from core.errors import DataError, reason_of
from core.storage.files import NOT_REGULAR

FORMS = "a .npz or .csv file, or a folder of IDX files, CSV files, or images in a folder for each class"


def find_form(path: Path) -> Form:
    """The files at a path, not yet read.

    Raises:
        DataError: when nothing is there, or nothing that could be read.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise DataError(
            f"{path}: {'missing' if isinstance(error, FileNotFoundError) else reason}",
            hint=f"give {FORMS}; it must be at the same path on every machine that trains on it",
        ) from error
    if stat.S_ISDIR(mode):
        return _in_folder(path)
    if not stat.S_ISREG(mode):
        raise DataError(f"{path}: {NOT_REGULAR}", hint=f"give {FORMS}")
    if path.name.lower().endswith(".npz"):
        return ArrayFile(path)
    if is_table(path):
        return TableFiles(path)
    raise DataError(f"{path}: no data in a known form", hint=f"give {FORMS}")


def _in_folder(folder: Path) -> Form:
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {reason_of(error)}", hint="check its permissions") from error
    files = [path for path in entries if not path.is_dir()]
    arrays = [path for path in files if path.name.lower().endswith(".npz")]
    form = IdxFolder.find(files) or TableFiles.find(files)
    if form is not None:
        return form
    if len(arrays) == 1:
        return ArrayFile(arrays[0])
    if (images := ImageFolder.find(folder, entries)) is not None:
        return images
    raise DataError(f"{folder}: no data in a known form", hint=f"give {FORMS}")
