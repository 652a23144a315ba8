"""Pixels of any kind of number as bytes, block by block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.data.own.parts import Pixels8, Place, refusal

SCALED_NOTE = "values from 0 to 1 were taken as 0 to 255"


class Greys:
    """Images as bytes, out of blocks of images in other numbers. Those from 0 to 1 are taken as 0 to 255.

    They are from 0 to 1 when none of all is above 1. Until there is one, or one that is not whole, that is open.
    """

    def __init__(self, path: Path, place: Place, *, scaled: bool | None = None) -> None:
        """`place` names an image for a message, `scaled` says whether values must be from 0 to 1; None to find out."""
        self._path, self._place, self._scaled = path, place, scaled
        self._blocks: list[Pixels8] = []
        self._count = 0
        self._open = 0  # so many blocks at the beginning have but 0 and 1

    def add(self, values: npt.NDArray[Any]) -> None:
        """Take in the next images, (N, ...).

        Raises:
            DataError: naming the first image with a value that is not allowed.
        """
        with np.errstate(invalid="ignore"):  # NaN, which is refused
            if values.dtype == np.bool_:
                self._scaled = self._scaled is not False
                block = values * np.uint8(255)
            else:
                block = self._bytes_of(values)
        self._count += len(values)
        self._blocks.append(block)
        if self._scaled is None:
            self._open += 1

    def joined(self) -> tuple[Pixels8, bool]:
        """All images, and whether their values were from 0 to 1."""
        scaled = self._scaled is not False
        if scaled:
            self._blocks[: self._open] = [block * np.uint8(255) for block in self._blocks[: self._open]]
        return self._blocks[0] if len(self._blocks) == 1 else np.concatenate(self._blocks), scaled

    def _bytes_of(self, values: npt.NDArray[Any]) -> Pixels8:
        is_float = values.dtype.kind == "f"
        broken = values != np.floor(values) if is_float else np.zeros((), dtype=np.bool_)
        if self._scaled is None and not values.max() <= 1:
            self._scaled = False
        elif self._scaled is None and broken.any():
            self._scaled = True
        if values.dtype != np.uint8 or self._scaled:
            limit = 1 if self._scaled else 255
            wrong = ~((values >= 0) & (values <= limit))
            if not self._scaled:
                wrong |= broken
            if wrong.any():
                first = tuple(np.argwhere(wrong)[0])
                allowed = "from 0 to 1" if self._scaled else "a whole number from 0 to 255"
                place = self._place(self._count + int(first[0]))
                raise refusal(self._path, f"{place}: the value {values[first]:g} is not {allowed}")
        if is_float and self._scaled:
            values = np.rint(values * 255)
        block = values.astype(np.uint8, copy=False)
        return block if is_float or not self._scaled else block * np.uint8(255)
