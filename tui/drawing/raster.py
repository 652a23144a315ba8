"""Curves turned into characters on a grid, where each is handed to plotext as one point.

plotext joins points and gathers braille dots one by one in Python, which takes a tenth of a second for a curve that
fills the screen; numpy does it for all of them at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tui.drawing.series import Values

BRAILLE = "braille"
DOTS = np.array([[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]])
"""Unicode's bit for each of a braille character's two columns of four dots, from the bottom up."""

Integers = NDArray[np.int64]


def rasterise(
    x: Values, y: Values, columns: int, rows: int, *, marker: str, joined: bool
) -> tuple[list[int], list[int], list[str]]:
    """The characters that draw a curve: their columns, their rows counted from the bottom, and what they are.

    Args:
        x, y: where the points are, (N,), as a fraction of the grid's width and height.
        marker: a character to draw with, or `BRAILLE` for dots of half a column and a quarter of a row.
        joined: with lines from each point to the next.
    """
    fine = marker == BRAILLE
    across, up = _places(x, columns * 2 if fine else columns), _places(y, rows * 4 if fine else rows)
    if joined:
        across, up = _lines(across, up)
    if not fine:
        cells = np.unique(up * columns + across)
        return (cells % columns).tolist(), (cells // columns).tolist(), [marker] * len(cells)
    dots = np.zeros((rows, columns), dtype=np.int64)
    np.bitwise_or.at(dots, (up // 4, across // 2), DOTS[across % 2, up % 4])
    lit_rows, lit_columns = np.nonzero(dots)
    return lit_columns.tolist(), lit_rows.tolist(), [chr(0x2800 + bits) for bits in dots[lit_rows, lit_columns]]


def _places(fractions: Values, count: int) -> Integers:
    """The nearest of so many places, the first at 0 and the last at 1."""
    return np.clip(np.rint(fractions * (count - 1)), 0, count - 1).astype(np.int64)


def _lines(across: Integers, up: Integers) -> tuple[Integers, Integers]:
    """The places on the lines between points that follow each other, both ends included."""
    if len(across) < 2:
        return across, up
    over, rise = np.diff(across), np.diff(up)
    lengths = np.maximum(np.maximum(np.abs(over), np.abs(rise)), 1)
    line = np.repeat(np.arange(len(lengths)), lengths)
    step = np.arange(len(line)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    part = step / lengths[line]
    x = np.rint(across[line] + part * over[line]).astype(np.int64)
    y = np.rint(up[line] + part * rise[line]).astype(np.int64)
    return np.append(x, across[-1]), np.append(y, up[-1])
