"""Ruled lines, squares and margins: found as ridges that go straight across the sheet, and painted over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.data.photo.paper import Values

SLOPES = np.tan(np.radians(np.arange(-20, 20.01, 0.5)))
THICKEST = 0.02
"""Of the longer side: the widest line that is looked for."""
COVERED = 0.55
"""A line is seen on so much of its way across the picture, at least."""


def without_lines(ink: Values, floor: float) -> Values:
    """The ink without lines that cross the picture, near to horizontal or near to vertical.

    Where a stroke crosses a line, it stays: a line is replaced by what lies on both of its sides.

    Args:
        ink: (H, W) from 0 to 1.
        floor: what is below is paper.
    """
    ink = _without_horizontal(ink, floor)
    return np.ascontiguousarray(_without_horizontal(np.ascontiguousarray(ink.T), floor).T)


def _without_horizontal(ink: Values, floor: float) -> Values:
    height, width = ink.shape
    thickest = max(3, round(THICKEST * max(height, width)))
    ridge = np.minimum(ink - _shifted(ink, thickest), ink - _shifted(ink, -thickest)) > floor
    # The middles of the ridges, one pixel for each crossing.
    rows, columns = np.nonzero(ridge)
    if len(rows) < COVERED * width:
        return ink
    slope = _best_slope(rows, columns, width, height)
    if slope is None:
        return ink
    found = _lines(rows, columns, slope, width, height, thickest)
    if not found:
        return ink
    result = ink.copy()
    for offset, half in found:
        _paint_over(result, ridge, slope, offset, half)
    return result


def _shifted(ink: Values, by: int) -> Values:
    """The values so many rows further down, beyond the edge those of the edge."""
    places = np.clip(np.arange(len(ink)) + by, 0, len(ink) - 1)
    return ink[places]


def _best_slope(rows: NDArray[np.intp], columns: NDArray[np.intp], width: int, height: int) -> float | None:
    """The slope at which the ridges gather on the fewest lines."""
    step = max(1, len(rows) // 20_000)
    some_rows, some_columns = rows[::step], columns[::step] - width / 2

    def gathered(slope: float) -> float:
        at = np.rint(some_rows - slope * some_columns).astype(np.int64) + height
        counts = np.bincount(at, minlength=3 * height).astype(float)
        return float((counts**2).sum())

    scores = [gathered(slope) for slope in SLOPES]
    best = int(np.argmax(scores))
    fine = SLOPES[best] + np.tan(np.radians(np.arange(-0.5, 0.51, 0.1)))
    return float(fine[int(np.argmax([gathered(slope) for slope in fine]))])


def _lines(
    rows: NDArray[np.intp], columns: NDArray[np.intp], slope: float, width: int, height: int, thickest: int
) -> list[tuple[float, int]]:
    """Where lines of this slope cross the middle column, and half their thickness in pixels."""
    at = np.rint(rows - slope * (columns - width / 2)).astype(np.int64) + height
    pieces = 24
    piece = columns * pieces // width
    # A line passes through most pieces of the picture; a stroke of a digit through a few.
    seen = np.zeros((pieces, 3 * height), dtype=bool)
    filled = np.zeros((pieces, 3 * height))
    np.add.at(filled, (piece, at), 1)
    seen = ndimage.maximum_filter1d(filled, 3, axis=1) >= 0.5 * width / pieces
    rows_in = np.arange(3 * height) - height
    places = rows_in[None] + slope * ((np.arange(pieces) + 0.5) * width / pieces - width / 2)[:, None]
    inside = (places >= 0) & (places < height)
    share = (seen & inside).sum(0) / np.maximum(inside.sum(0), pieces * 0.4)
    labels, count = ndimage.label(share >= COVERED)
    found = []
    for span in ndimage.find_objects(labels)[:count]:
        start, stop = span[0].start, span[0].stop
        if stop - start <= 2 * thickest:
            found.append(((start + stop - 1) / 2 - height, (stop - start + 1) // 2))
    return found


def _paint_over(ink: Values, ridge: NDArray[np.bool_], slope: float, offset: float, half: int) -> None:
    height, width = ink.shape
    columns = np.arange(width)
    middle = offset + slope * (columns - width / 2)
    # A line is seldom quite straight on a photograph: it is followed to where its ridge lies, averaged along it.
    around = np.arange(-half - 2, half + 3)
    at = np.rint(middle[None] + around[:, None]).astype(int)
    valid = (at >= 0) & (at < height)
    there = np.where(valid, ridge[np.clip(at, 0, height - 1), columns], False).astype(float)
    smooth = ndimage.uniform_filter1d(there, max(5, width // 20), axis=1, mode="nearest")
    weight = smooth.sum(0)
    middle = middle + np.where(weight > 0, (smooth * around[:, None]).sum(0) / np.maximum(weight, 1e-6), 0)
    reach = half + 1
    above = np.clip(np.rint(middle - reach - 1).astype(int), 0, height - 1)
    below = np.clip(np.rint(middle + reach + 1).astype(int), 0, height - 1)
    upper = np.where(above > 0, ink[above, columns], ink[below, columns])
    lower = np.where(below < height - 1, ink[below, columns], upper)
    for step in range(-reach, reach + 1):
        row = np.rint(middle + step).astype(int)
        inside = (row >= 0) & (row < height)
        share = (step + reach + 1) / (2 * reach + 2)
        painted = (1 - share) * upper + share * lower
        ink[row[inside], columns[inside]] = np.minimum(ink[row[inside], columns[inside]], painted[inside])
