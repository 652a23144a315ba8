"""Finds out in which form somebody's own data are. Needs no torch."""

from __future__ import annotations

import stat
from pathlib import Path

from core.data.own.arrays import ArrayFile
from core.data.own.images import BY_CLASS, ImageFolder
from core.data.own.layout import fits
from core.data.own.pairs import IdxFolder
from core.data.own.parts import Form, entries, refusal
from core.data.own.tables import TableFiles, is_table
from core.data.suffixes import SUFFIXES
from core.errors import DataError, reason_of
from core.storage.files import NOT_REGULAR

FORMS = "a .npz or .csv file, or a folder of IDX files, CSV files, or images in a folder for each class"

_DEEPEST = 3
"""So many folders around the data are looked through, as unpacked archives have."""


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
        if (form := _in_folder(path, _DEEPEST)) is not None:
            return form
        raise _unknown(path)
    if not stat.S_ISREG(mode):
        raise DataError(f"{path}: {NOT_REGULAR}", hint=f"give {FORMS}")
    if path.name.lower().endswith(".npz"):
        return ArrayFile(path)
    if is_table(path):
        return TableFiles(path)
    raise _unknown(path)


def _unknown(path: Path) -> DataError:
    return DataError(f"{path}: no data in a known form", hint=f"give {FORMS}")


def _in_folder(folder: Path, deeper: int) -> Form | None:
    """The data in a folder, or so many folders deeper, where a single folder is all that could have some."""
    folders, files = entries(folder)
    arrays = [path for path in files if path.name.lower().endswith(".npz")]
    are_images = any(path.suffix.lower() in SUFFIXES for path in files)
    # A table beside folders or images may be about the images.
    fitting = [path for path in files if not (folders or are_images) or not is_table(path) or fits(path)]
    form = IdxFolder.find(folder, folders, files) or TableFiles.find(fitting)
    if form is not None:
        return form
    if len(arrays) == 1:
        return ArrayFile(arrays[0])
    if (images := ImageFolder.find(folder, folders)) is not None:
        return images
    if len(folders) == 1 and deeper and (inner := _in_folder(folders[0], deeper - 1)) is not None:
        return inner
    if are_images:
        raise refusal(folder, "its images are not in folders", BY_CLASS)
    return TableFiles.find(files)  # reading it will say what is wrong with it
