"""Curves, points and rules as dots of a raster, through the axes of a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tui.drawing.raster import Integers, Raster, line_dots
from tui.drawing.series import Axis, Values, bucketed

CROSS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
UPRIGHT = ((0, 0), (0, 1), (0, -1))
"""The dots of a marked point, where there is room and where there is less."""
CROSS_ROOM, UPRIGHT_ROOM = 5, 3
"""Dots from one point to the next that these need."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """Points in the order of x, of one layer of the raster; what lies outside of the axes is not drawn.

    Drawn as a line, of whose dots every `gap`-th is there, where they are `joined`, else as dots; `bars` are upright
    lines from their lower to their upper ends. With a `mark` each point is one too: a cross of dots where it is empty,
    else that character, where a rule does not need the cell; where it is `thinned`, only some of them. `sign` stands
    for a dot in ASCII.
    """

    layer: int
    xs: Values
    ys: Values
    sign: str
    joined: bool = True
    gap: int = 1
    mark: str | None = None
    thinned: bool = False
    bars: tuple[Values, Values] | None = None


def draw_strokes(raster: Raster, strokes: Sequence[Stroke], across: Axis, up: Axis) -> None:
    """All lines, then all marks, so that no line lies over one."""
    for stroke in strokes:
        if len(stroke.xs):
            _draw_line(raster, stroke, across, up)
    for stroke in strokes:
        if stroke.mark is not None:
            _draw_marks(raster, stroke, across, up)


def _draw_line(raster: Raster, stroke: Stroke, across: Axis, up: Axis) -> None:
    if stroke.bars is not None:
        known = np.isfinite(stroke.bars[0]) & np.isfinite(stroke.bars[1])
        x, (low, high) = across.dots(stroke.xs[known]), (up.dots(ends[known]) for ends in stroke.bars)
        raster.put(*line_dots(x, low, x, high, stroke.gap), stroke.layer, "|")
    elif stroke.joined and len(stroke.xs) > 1:
        xs, ys = bucketed(stroke.xs, stroke.ys, 2 * raster.columns)
        raster.put(*line_dots(*_segments(xs, ys, across, up), stroke.gap), stroke.layer, stroke.sign)
    elif stroke.mark is None:
        raster.put(*_points(stroke, across, up), stroke.layer, stroke.sign)


def _points(stroke: Stroke, across: Axis, up: Axis) -> tuple[Integers, Integers]:
    inside = (stroke.ys >= up.low) & (stroke.ys <= up.high)
    return across.dots(stroke.xs[inside]), up.dots(stroke.ys[inside])


def _draw_marks(raster: Raster, stroke: Stroke, across: Axis, up: Axis) -> None:
    x, y = _points(stroke, across, up)
    if not len(x):
        return
    if stroke.thinned:
        step = max(1, len(x) // max(2, raster.columns // 9))
        start = min(stroke.layer * step // 8, len(x) - 1)  # those of different curves not at the same places
        x, y = x[start::step], y[start::step]
    if raster.ascii_only:
        raster.put_signs(x, y, stroke.layer, stroke.mark or stroke.sign)
        return
    room = int(np.diff(x).min(initial=CROSS_ROOM))
    shape = CROSS if room >= CROSS_ROOM else UPRIGHT if room >= UPRIGHT_ROOM else ()
    if stroke.mark:
        ruled = np.full(len(x), False) if up.line is None else y // 4 == up.line // 4
        raster.put_signs(x[~ruled], y[~ruled], stroke.layer, stroke.mark)
        x, y, shape = x[ruled], y[ruled], CROSS
    for right, higher in shape:
        _put_beside(raster, stroke, x, y, right, higher, up)


def _put_beside(raster: Raster, stroke: Stroke, x: Integers, y: Integers, right: int, higher: int, up: Axis) -> None:
    """Set the dots so far from points that are neither outside of the raster nor on or beyond the rule."""
    across, height = x + right, y + higher
    good = (across >= 0) & (across < raster.dots[0]) & (height >= 0) & (height < raster.dots[1])
    if up.line is not None:
        good &= np.sign(height - up.line) == np.sign(y - up.line)
    raster.put(across[good], height[good], stroke.layer, stroke.sign)


def _segments(xs: Values, ys: Values, across: Axis, up: Axis) -> tuple[Integers, Integers, Integers, Integers]:
    """The ends of the lines between points, cut off where they leave the plot."""
    x, y = across.dots(xs), up.dots(ys)
    starts, ends = (x[:-1], y[:-1]), (x[1:], y[1:])
    if up.low <= ys.min() and ys.max() <= up.high:
        return (*starts, *ends)
    places, top = up.places(ys), up.count - 1
    low, rise = places[:-1], np.diff(places)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossings = np.sort(np.stack([(0 - low) / rise, (top - low) / rise]), axis=0)
    level = rise == 0
    first = np.where(level, 0.0, np.maximum(crossings[0], 0.0))
    last = np.where(level, 1.0, np.minimum(crossings[1], 1.0))
    kept = (first < last) & (~level | ((low >= 0) & (low <= top)))
    cut_x = [np.rint(starts[0] + share * (ends[0] - starts[0])).astype(np.int64) for share in (first, last)]
    cut_y = [np.clip(np.rint(low + share * rise), 0, top).astype(np.int64) for share in (first, last)]
    x0, y0 = (np.where(first > 0, cut, whole) for cut, whole in zip((cut_x[0], cut_y[0]), starts, strict=True))
    x1, y1 = (np.where(last < 1, cut, whole) for cut, whole in zip((cut_x[1], cut_y[1]), ends, strict=True))
    return x0[kept], y0[kept], x1[kept], y1[kept]


def draw_rule(raster: Raster, up: Axis, layer: int, sign: str = "-") -> None:
    """The split of the axis as a level line."""
    if up.line is not None:
        x = np.arange(raster.dots[0])
        x = x if raster.ascii_only else x[x % 4 != 3]
        raster.put(x, np.full(len(x), up.line), layer, sign)


def draw_upright(raster: Raster, across: Axis, value: float, layer: int, sign: str = "|") -> None:
    """An upright line at a value of x."""
    y = np.arange(raster.dots[1])
    y = y if raster.ascii_only else y[::2]
    raster.put(np.full(len(y), across.dot(value)), y, layer, sign)
