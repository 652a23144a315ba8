"""Data of one's own on their way to tensors: what is allowed, and the parts that each form of file is read into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from core.errors import DataError, reason_of, shown
from core.storage.files import is_folder
from core.task import FEWEST, LARGEST, MOST, SMALLEST

MAX_BYTES = 1 << 30
"""Pixels of all images together; nothing larger is unpacked."""
MAX_IMAGES = 4_000_000
LONGEST_CLASS = 40
ALLOWED_DATA = (
    f"allowed are square grey images of {SMALLEST} to {LARGEST} pixels, values 0 to 255, in {FEWEST} to {MOST} classes"
)
ONE_LABEL = "give each image its class as one number or text, not one-hot"
"""What to do about labels of several columns."""
_MOST_NAMED = 4

Pixels8 = npt.NDArray[np.uint8]
Labels = npt.NDArray[Any]
Place = Callable[[int], str]
"""Names an image by its index, for a message: ``row 3``."""


def refusal(path: Path, what: str, hint: str = ALLOWED_DATA) -> DataError:
    """The error for a file that is none of what is allowed."""
    return DataError(f"{path}: {what}", hint=hint)


def left_out(what: str, names: Sequence[str]) -> str:
    """A note about what is there and not read, empty for nothing: ``the folders val and extra are left out``."""
    if not names:
        return ""
    said = [shown(name, LONGEST_CLASS) for name in names[:_MOST_NAMED]]
    if len(names) > len(said):
        said.append(f"{len(names) - len(said):,} more")
    *most, last = said
    return f"the {what}s {', '.join(most)} and {last} are left out" if most else f"the {what} {last} is left out"


@dataclass(frozen=True, slots=True)
class Part:
    """Images (N, S, S) and their labels (N,), whole numbers or texts, of one file or folder `path`."""

    path: Path
    images: Pixels8
    labels: Labels
    place: Place


@dataclass(frozen=True, slots=True)
class Parts:
    """What was read: without a `test` part a share of the training images is to be it."""

    train: Part
    test: Part | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """What headers say: the images' size, and their training labels, one of each."""

    size: int
    labels: frozenset[object]


class Form(Protocol):
    """Files of one form, found and not yet read. `files` are all that count, in an order that is always the same;
    `note` says what lies beside them and is left out."""

    @property
    def files(self) -> tuple[Path, ...]: ...

    @property
    def note(self) -> str: ...

    def outline(self) -> Outline:
        """Read as little as tells the task.

        Raises:
            DataError: when that little is wrong.
        """
        ...

    def read(self) -> Parts:
        """Read everything.

        Raises:
            DataError: naming the file, and the place in it, that is wrong.
        """
        ...


def entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders in a folder, and the files, in order, but for hidden ones and those that archives of macOS add.

    Raises:
        DataError: when that cannot be told.
    """
    try:
        names = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))
        folders = {path: is_folder(path) for path in names}
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {reason_of(error)}", hint="check its permissions") from error
    return [path for path in names if folders[path]], [path for path in names if not folders[path]]


def check_size(path: Path, shape: Sequence[int]) -> int:
    """The size of square images of this shape.

    Raises:
        DataError: when they are no square, or not of a size that is allowed.
    """
    height, width = shape
    if height != width or not SMALLEST <= height <= LARGEST:
        raise refusal(path, f"images of {height} x {width} pixels")
    return int(height)


def check_count(path: Path, images: int, size: int) -> None:
    """Raise `DataError` for no images, or for more than are ever unpacked."""
    if not images:
        raise refusal(path, "no images")
    if images > MAX_IMAGES or images * size * size > MAX_BYTES:
        raise DataError(f"{path}: {images:,} images of {size} x {size} pixels", hint="leave some of them out")


def check_classes(path: Path, labels: frozenset[object]) -> int:
    """The number of classes that there are.

    Raises:
        DataError: when they are too few or too many.
    """
    if not FEWEST <= len(labels) <= MOST:
        raise refusal(path, f"{len(labels):,} {'class' if len(labels) == 1 else 'classes'}")
    for label in labels:
        if isinstance(label, str) and (len(label) > LONGEST_CLASS or not label.isprintable() or not label.strip()):
            raise refusal(path, f"{shown(label, LONGEST_CLASS + 10)} is not a name for a class")
    return len(labels)


def distinct(labels: Labels) -> frozenset[object]:
    return frozenset(np.unique(labels).tolist())
