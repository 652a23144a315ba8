"""The digits on a photograph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy import ndimage

from core.data.photo.form import mnist_form
from core.data.photo.paper import Values, faintest, ink_on_paper, smoothed
from core.data.photo.plain import digit_on_plain_paper
from core.data.photo.ruling import without_lines
from core.data.photo.strokes import StrokeGroup, groups
from core.data.photo.thin import with_wider_lines

LARGEST, SMALLEST = 1000, 220
"""The longer side, in pixels, that pictures are brought to."""
SMALL = 120
"""A digit of fewer pixels across is looked at again in the resolution that the picture has."""
REACH = 0.3
"""Of the longer side: no stroke is as wide."""
PENS, AGAIN, KEPT = 2.5, 0.85, 0.7
"""The paper is judged a second time within so many widths of the pen, and that is taken where the digit looks as much
like one as before, but for a little, and has not lost much of its size."""
UNLIKE = 0.1
"""What looks less like a digit than that is no digit: a stain, an edge, noise."""
LEVELS = 8
"""So many thresholds are tried."""
FAINTEST = 0.05
"""Ink takes so much of the paper's light, at least."""


@dataclass(frozen=True, slots=True)
class Found:
    """A digit: (28, 28) from 0 to 1 in MNIST's form, where it lies in the picture (left, top, width, height in pixels),
    and how much it looks like a digit."""

    form: Values
    box: tuple[int, int, int, int]
    score: float


def find_digits(gray: Values) -> list[Found]:
    """The digits on a picture, from left to right; none where nothing is drawn.

    Args:
        gray: (H, W) float32 from 0 to 1.
    """
    plain = digit_on_plain_paper(gray)
    if plain is not None:
        return [Found(mnist_form(plain), (0, 0, gray.shape[1], gray.shape[0]), 1.0)]
    scale = min(1.0, LARGEST / max(gray.shape))
    if max(gray.shape) < SMALLEST:
        scale = SMALLEST / max(gray.shape)
    drawn, wider = with_wider_lines(gray, LARGEST) or (gray, 0)
    work = _resized(drawn, scale * max(gray.shape) / max(drawn.shape))
    ink, chosen = _analysed(work)
    found = [_narrowed(_found(ink, group, scale), wider) for group in chosen]
    if len(found) == 1 and scale < 1 and chosen[0].side < SMALL:
        return [_looked_at_closely(gray, found[0])]
    return found


def _narrowed(found: Found, by: int) -> Found:
    """With so many pixels less on every side of its box."""
    left, top, width, height = found.box
    across, down = min(by, (width - 1) // 2), min(by, (height - 1) // 2)
    return replace(found, box=(left + across, top + down, width - 2 * across, height - 2 * down))


def _looked_at_closely(gray: Values, found: Found) -> Found:
    """The same digit in the whole resolution of the picture."""
    left, top, width, height = found.box
    room = max(width, height)
    left, top = max(left - room, 0), max(top - room, 0)
    part = gray[top : found.box[1] + height + room, left : found.box[0] + width + room]
    again = find_digits(np.ascontiguousarray(part))
    if len(again) != 1:
        return found
    x, y, width, height = again[0].box
    return replace(again[0], box=(x + left, y + top, width, height))


def _resized(gray: Values, scale: float) -> Values:
    if scale == 1:
        return gray
    height, width = (max(1, round(side * scale)) for side in gray.shape)
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(gray).resize((width, height), how)).clip(0, 1)


def _analysed(gray: Values) -> tuple[Values, list[StrokeGroup]]:
    """The ink of the polarity in which a digit is seen best, and the groups of strokes there."""
    smooth = smoothed(gray)
    reach = REACH * max(gray.shape)
    looks = [(dark, *_looked_at(smooth, reach, dark=dark)) for dark in (True, False)]
    dark, ink, candidates = max(looks, key=lambda look: look[2][0].score if look[2] else 0)
    if candidates:
        # Once the pen is known, shadows and stains that are wider than it are no ink any more.
        near = PENS * candidates[0].width
        if near < reach:
            again, better = _looked_at(smooth, near, dark=dark)
            first = candidates[0]
            if better and better[0].score > AGAIN * first.score and better[0].side > KEPT * first.side:
                return again, _digits(better)
    return ink, _digits(candidates)


def _looked_at(smooth: Values, reach: float, *, dark: bool) -> tuple[Values, list[StrokeGroup]]:
    """The ink of one polarity, and the groups at the threshold at which one looks most like a digit."""
    ink = ink_on_paper(smooth, int(reach) | 1, dark=dark)
    floor = max(FAINTEST, faintest(ink))
    ink = without_lines(ink, floor)
    top = float(ink.max())
    if top <= floor:
        return ink, []
    tried = [groups(smooth, ink, float(threshold)) for threshold in np.geomspace(floor, 0.7 * top, LEVELS)]
    return ink, max(tried, key=lambda found: found[0].score if found else 0)


def _digits(candidates: list[StrokeGroup]) -> list[StrokeGroup]:
    """Those that are digits beside the likeliest one."""
    if not candidates or candidates[0].score < UNLIKE:
        return []
    main = candidates[0]
    digits = [
        group
        for group in candidates
        if group.score >= 0.35 * main.score and group.side >= 0.5 * main.side and group.strength >= 0.6 * main.strength
    ]
    return sorted(digits, key=lambda group: group.left)


def _found(ink: Values, group: StrokeGroup, scale: float) -> Found:
    rows, columns = group.box
    room = max(2, round(group.width / 2))
    top, left = max(rows.start - room, 0), max(columns.start - room, 0)
    area = ink[top : rows.stop + room, left : columns.stop + room]
    near = np.zeros(area.shape, dtype=bool)
    near[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = group.mask
    reach = max(1.5, group.width / 4)
    near = ndimage.distance_transform_edt(~near) <= reach
    low, high = 0.25 * group.strength, 0.85 * group.strength
    digit = np.where(near, np.clip((area - low) / (high - low), 0, 1), 0).astype(np.float32)
    x, y = round(columns.start / scale), round(rows.start / scale)
    box = (x, y, round(columns.stop / scale) - x, round(rows.stop / scale) - y)
    return Found(mnist_form(digit), box, group.score)
