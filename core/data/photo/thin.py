"""Drawings in lines that are thin beside the digit, as programs draw them: the lines are drawn again with a wider pen.

What takes the noise out of photographs takes such lines out, too. Here there is no noise: all that is not of the one
colour of the paper is ink.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.data.photo.paper import Mask, Values
from core.data.photo.plain import SAME

PAPER = 0.6
"""Of the picture: so much is of one colour, at least."""
FAINTEST, INKED = 0.06, 0.25
"""Ink differs by so much from the paper, and each place of it by such a share of what the darkest does."""
THIN, WANTED = 0.025, 0.09
"""Lines are thin up to that width, and made so wide, as shares of the longer side of the largest digit."""
THICKEST = 95
"""The width is that of so many in a hundred places; elsewhere lines meet."""
NEAR, AT_FIRST, NARROWEST = 0.05, 0.03, 1 / 9
"""Pieces with less than twice so much of the digit's side between them are measured as one. As long as that is not
known, with so much of the geometric mean of the sides of all ink, which for a row of digits is nearer to the side of
one than its length is. The last is the least that a side is taken for, as a share of the other one."""
SIDES, ENDS, ALONG = 2, 8, 0.1
"""What reaches so many sides of the picture is a ruling or a frame, unless it is all that is there, meets its rim in no
more places than these and takes no more of it than that."""
FRAME = 0.8
"""Of each side of its box: so much is taken by a rectangle, at least."""
EVERY_SIDE = np.ones((3, 3), dtype=bool)


def with_wider_lines(gray: Values, largest: int) -> tuple[Values, int] | None:
    """The picture drawn again, dark on light, its longer side at most `largest` pixels, and by how many pixels of the
    old one its lines reach further to every side; None where not all of it is thin lines on paper of one colour.

    Breaks in a line that are narrower than the new pen are closed.
    """
    lines = _lines(gray, largest)
    if lines is None:
        return None
    lines = _without_ruling(lines)
    if lines is None:
        return None
    width = 2 * float(np.percentile(ndimage.distance_transform_edt(lines)[lines], THICKEST)) - 1
    away = ndimage.distance_transform_edt(~lines)
    side = _side(lines, away)
    if width > THIN * side:
        return None
    reach = (WANTED * side - width) / 2
    widened: Values = np.clip(away - reach - 0.5, 0, 1).astype(np.float32)
    return widened, round(reach * max(gray.shape) / max(lines.shape))


def _lines(gray: Values, largest: int) -> Mask | None:
    """Where ink is, each pixel for a square of those of the picture; None where the paper is not of one colour or
    there is ink both lighter and darker than it."""
    away = gray - np.median(gray)
    if (np.abs(away) <= SAME).mean() < PAPER:
        return None
    if -away.min() > away.max():
        away = -away
    top = float(away.max())
    if top < FAINTEST or -away.min() > INKED * top:
        return None
    inked = away > INKED * top
    block = -(-max(gray.shape) // largest)
    if block == 1:
        return inked
    height, width = (-(-length // block) for length in gray.shape)
    padded = np.pad(inked, [(0, block * new - old) for new, old in zip((height, width), gray.shape, strict=True)])
    # Ink anywhere in a square makes it ink: averages would lose lines of a pixel.
    squares: Mask = np.any(padded.reshape(height, block, width, block), axis=(1, 3))
    return squares


def _without_ruling(lines: Mask) -> Mask | None:
    """The lines without those that run across the picture or round it and without rectangles; None where there are no
    others."""
    labels, count = ndimage.label(lines, EVERY_SIDE)
    reached = np.zeros(count + 1, dtype=int)
    rims = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    for rim in rims:
        reached[np.unique(rim)] += 1
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if _is_frame(labels[box] == number):
            reached[number] = SIDES
    kept = reached < SIDES
    kept[0] = False
    if kept.any():
        return kept[labels]
    ends = sum(int((np.diff(np.pad(rim > 0, 1).astype(np.int8)) > 0).sum()) for rim in rims)
    taken = sum(int((rim > 0).sum()) for rim in rims)
    return lines if ends <= ENDS and taken <= ALONG * 2 * sum(lines.shape) else None


def _is_frame(line: Mask) -> bool:
    """Whether it is a rectangle with room for a digit in it."""
    return min(line.shape) > 3 and all(edge.mean() > FRAME for edge in (line[0], line[-1], line[:, 0], line[:, -1]))


def _side(lines: Mask, away: NDArray[np.float64]) -> int:
    """The longer side of the largest digit, whose lines may be broken; `away` is how far each place is from ink."""
    shorter, longer = sorted(int(np.ptp(np.flatnonzero(lines.any(axis)))) for axis in (0, 1))
    side, reach = 0, AT_FIRST * float(np.sqrt(longer * max(shorter, NARROWEST * longer)))
    while True:
        labels, _ = ndimage.label(away <= reach, EVERY_SIDE)
        boxes = ndimage.find_objects(labels * lines)
        found = max(max(down.stop - down.start, across.stop - across.start) for down, across in boxes)
        if found <= side:
            return side
        side, reach = found, max(reach, NEAR * found)
