"""Digits that were drawn by hand, kept as PNG files in `<home>/drawings`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import StorageError

if TYPE_CHECKING:
    from torch import Tensor


def save_drawing(home: Path, image: Tensor) -> Path:
    """Write grey pixels (H, W) uint8, light on black, to a file that was not there before; returns its path.

    Raises:
        StorageError: when it cannot be written; nothing is left behind then.
    """
    from core.data.picture import write_picture

    folder = home / "drawings"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _reserve(folder, f"digit-{datetime.now(UTC):%Y%m%d-%H%M%S}")
        try:
            write_picture(path, image)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    except OSError as error:
        hint = "free some space in the home folder, or choose another one with --home"
        raise StorageError(f"{folder}: cannot be written: {error.strerror}", hint=hint) from error
    return path


def _reserve(folder: Path, stem: str) -> Path:
    """Make an empty file of that name, or of the first one with a number that is free."""
    number = 1
    while True:
        path = folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")
        try:
            path.touch(exist_ok=False)
            return path
        except FileExistsError:
            number += 1
