"""Data of one's own in a .npz file, by Keras' names of the arrays in it, or others that are common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt

from core.data.own.greys import SCALED_NOTE, Greys
from core.data.own.parts import (
    ALLOWED_DATA,
    MAX_BYTES,
    MAX_IMAGES,
    ONE_LABEL,
    Labels,
    Outline,
    Part,
    Parts,
    check_count,
    check_size,
    distinct,
    left_out,
    refusal,
)
from core.data.stored import MAKE_ANEW, ZIP_DAMAGE
from core.errors import DataError, one_line, reason_of
from core.storage.files import open_regular

SPLIT_NAMES = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
WHOLE_NAMES = (("x", "y"), ("images", "labels"), ("data", "target"))
_NUMBERS = "buif"
_MAX_HEADER = 10_000
_IMAGES = 4_000
"""Images that are unpacked at once."""
_DAMAGE = (*ZIP_DAMAGE, TypeError, SyntaxError, TokenError)
"""What reading an archive, and NumPy's reading of a header, may end in."""


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """A .npz file. Pickled objects in one are never loaded."""

    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    @property
    def note(self) -> str:
        return ""

    def outline(self) -> Outline:
        with self._opened() as file:
            images, labels, *_ = self._names(file)
            with file.open(images) as member:
                shape, *_ = self._header(images, member)
            size = self._size(images, shape)
            return Outline(size, distinct(self._labels(file, labels, shape[0])))

    def read(self) -> Parts:
        with self._opened() as file:
            names = self._names(file)
            train, scaled = self._part(file, *names[:2])
            test = self._part(file, *names[2:], scaled=scaled)[0] if len(names) == 4 else None
            others = left_out("array", [_short(name) for name in file.namelist() if name not in names])
        if test is not None and _kind(test.labels) != _kind(train.labels):
            kinds = [f"{_short(names[at])} holds {_kind(part.labels)}" for at, part in ((3, test), (1, train))]
            raise refusal(self.path, ", ".join(kinds))
        return Parts(train, test, "; ".join(filter(None, (others, SCALED_NOTE if scaled else ""))))

    @contextmanager
    def _opened(self) -> Iterator[ZipFile]:
        try:
            with open_regular(self.path, follow_link=True) as opened, ZipFile(opened) as file:
                yield file
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {reason_of(error)}", hint="check the file") from error
        except _DAMAGE as error:
            raise DataError(f"{self.path}: corrupt: {one_line(error)}", hint=MAKE_ANEW) from error

    def _names(self, file: ZipFile) -> tuple[str, ...]:
        """The names of the members with images and labels, of one part or of two."""
        there = {name.removesuffix(".npy").lower(): name for name in file.namelist()}
        for names in (*SPLIT_NAMES, *WHOLE_NAMES):
            if all(name in there for name in names):
                return tuple(there[name] for name in names)
        for names in SPLIT_NAMES:
            if all(name in there for name in names[:2]):
                return tuple(there[name] for name in names[:2])
        found = ", ".join(sorted(there)[:8]) or "nothing"
        raise DataError(
            f"{self.path}: no arrays x_train, y_train, x_test and y_test, nor x and y, but {found}",
            hint="give the arrays these names",
        )

    def _part(self, file: ZipFile, images: str, labels: str, *, scaled: bool | None = None) -> tuple[Part, bool]:
        with file.open(images) as member:
            shape, dtype, fortran = self._header(images, member)
        size = self._size(images, shape)
        if dtype.kind not in _NUMBERS:
            raise refusal(self.path, f"{_short(images)} holds {dtype}, not numbers")
        name = _short(images)

        def place(index: int) -> str:
            return f"{name}[{index}]"

        greys = Greys(self.path, place, scaled=scaled)
        if fortran:
            if size * size * shape[0] * dtype.itemsize > MAX_BYTES:
                raise refusal(self.path, f"{name} is too large to be read column by column")
            greys.add(self._array(file, images).reshape(shape[0], size, size))
        else:
            for block in self._blocks(file, images, shape[0], np.dtype((dtype, (size, size)))):
                greys.add(block)
        pixels, scaled = greys.joined()
        return Part(self.path, pixels, self._labels(file, labels, shape[0]), place), scaled

    def _size(self, name: str, shape: tuple[int, ...]) -> int:
        sides = tuple(shape[1:])
        if len(sides) == 3 and 1 in (sides[0], sides[2]):
            sides = sides[1:] if sides[0] == 1 else sides[:2]
        if len(sides) == 1:
            side = isqrt(sides[0])
            sides = (side, side) if side * side == sides[0] else (1, sides[0])
        if len(sides) != 2:
            raise refusal(self.path, f"{_short(name)} has the shape {shape}, not (N, S, S)")
        size = check_size(self.path, sides)
        check_count(self.path, shape[0], size)
        return size

    def _labels(self, file: ZipFile, name: str, count: int) -> Labels:
        with file.open(name) as member:
            shape, dtype, _ = self._header(name, member)
        if shape not in ((count,), (count, 1)):
            what = f"{_short(name)} has the shape {shape}, not ({count},) as there are images"
            raise refusal(self.path, what, ONE_LABEL if len(shape) == 2 and shape[0] == count else ALLOWED_DATA)
        if dtype.kind not in "buifU":
            raise refusal(self.path, f"{_short(name)} holds {dtype}, neither numbers nor texts")
        if count > MAX_IMAGES or dtype.itemsize * count > MAX_BYTES:
            raise refusal(self.path, f"{_short(name)} is too large")
        labels = self._array(file, name).reshape(count)
        if dtype.kind in "bf":
            with np.errstate(invalid="ignore"):  # NaN, and what no whole number is as large as
                whole = labels.astype(np.int64)
            if not (whole == labels).all():
                index = int(np.argwhere(whole != labels)[0, 0])
                raise refusal(self.path, f"{_short(name)}[{index}] = {labels[index]:g} is not a whole number")
            labels = whole
        return labels

    def _header(self, name: str, member: Any) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
        """Shape and type of an array, and whether its last index comes first in the file; nothing of what is in it."""
        version = np.lib.format.read_magic(member)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"{_short(name)} is of version {version[0]}.{version[1]}")
        shape, fortran, dtype = readers[version](member, max_header_size=_MAX_HEADER)
        if dtype.hasobject or dtype.fields:
            raise refusal(self.path, f"{_short(name)} holds {one_line(dtype, 40)}, which is not loaded")
        return shape, dtype, fortran

    def _array(self, file: ZipFile, name: str) -> npt.NDArray[Any]:
        with file.open(name) as member:
            array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False, max_header_size=_MAX_HEADER)
            self._check_end(name, member)
        return array

    def _blocks(self, file: ZipFile, name: str, count: int, image: np.dtype[Any]) -> Iterator[npt.NDArray[Any]]:
        """So many images, some at a time: as bytes they take a fraction of what they may take in the file."""
        with file.open(name) as member:
            self._header(name, member)
            for start in range(0, count, _IMAGES):
                size = min(_IMAGES, count - start) * image.itemsize
                content = bytearray(member.read(size))
                if len(content) < size:
                    raise ValueError(f"{_short(name)} is shorter than its header says")
                yield np.frombuffer(content, dtype=image)
            self._check_end(name, member)

    def _check_end(self, name: str, member: Any) -> None:
        """Raise `ValueError` for more than the header says; at the end the sum is checked, too."""
        if member.read(1):
            raise ValueError(f"{_short(name)} is longer than its header says")


def _kind(labels: Labels) -> str:
    return "texts" if labels.dtype.kind == "U" else "numbers"


def _short(name: str) -> str:
    return name.removesuffix(".npy")
