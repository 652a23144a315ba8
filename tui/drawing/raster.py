"""A grid of characters that dots are set in: four down and two across each as braille, one each in ASCII.

Whatever is drawn into one grid shares its dots, so that a line keeps its height where another crosses its cell.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BRAILLE = 0x2800
BITS = np.array([[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]])
"""Unicode's bit for each of a braille character's two columns of four dots, from the bottom up."""
NOTHING = -1
"""The layer of a cell that is empty."""

Integers = NDArray[np.int64]
Cells = list[list[tuple[str, int]]]
"""For each line from the top its texts, one behind the other, each with its layer."""


class Raster:
    """Each layer is drawn over those before it: the last one has the colour of a cell and, in ASCII, its character."""

    def __init__(self, columns: int, rows: int, *, ascii_only: bool = False) -> None:
        self.columns, self.rows = columns, rows
        self.ascii_only = ascii_only
        self.fine = (1, 1) if ascii_only else (2, 4)
        self._bits = np.zeros((rows, columns), dtype=np.int64)
        self._signs = np.zeros((rows, columns), dtype=np.int64)
        self._layers = np.full((rows, columns), NOTHING, dtype=np.int64)

    @property
    def dots(self) -> tuple[int, int]:
        """The dots across and up."""
        return self.columns * self.fine[0], self.rows * self.fine[1]

    def put(self, across: Integers, up: Integers, layer: int, sign: str) -> None:
        """Set dots, (N,) across and (N,) up from the lower left; `sign` stands for one in ASCII."""
        if self.ascii_only:
            self.put_signs(across, up, layer, sign)
            return
        row, column = up // 4, across // 2
        np.bitwise_or.at(self._bits, (row, column), BITS[across % 2, up % 4])
        self._layers[row, column] = layer
        self._signs[row, column] = 0

    def put_signs(self, across: Integers, up: Integers, layer: int, sign: str) -> None:
        """Set characters in the cells of dots."""
        row, column = up // self.fine[1], across // self.fine[0]
        self._signs[row, column] = ord(sign)
        self._layers[row, column] = layer

    def cells(self) -> Cells:
        codes = np.where(self._signs > 0, self._signs, np.where(self._bits > 0, BRAILLE + self._bits, ord(" ")))
        lines: Cells = []
        for row in range(self.rows - 1, -1, -1):
            text = codes[row].astype("<u4").tobytes().decode("utf-32-le")
            layers = self._layers[row]
            starts = [0, *(np.flatnonzero(np.diff(layers)) + 1).tolist(), self.columns]
            lines.append([(text[start:stop], int(layers[start])) for start, stop in pairwise(starts)])
        return lines


def line_dots(x0: Integers, y0: Integers, x1: Integers, y1: Integers, gap: int = 1) -> tuple[Integers, Integers]:
    """Every `gap`-th of the dots on straight lines from (x0, y0) to (x1, y1), both ends of which are on them."""
    over, rise = x1 - x0, y1 - y0
    lengths = np.maximum(np.abs(over), np.abs(rise)) + 1
    line = np.repeat(np.arange(len(lengths)), lengths)
    step = np.arange(len(line)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    line, step = line[::gap], step[::gap]
    part = step / np.maximum(lengths[line] - 1, 1)
    x = np.rint(x0[line] + part * over[line]).astype(np.int64)
    y = np.rint(y0[line] + part * rise[line]).astype(np.int64)
    return x, y
