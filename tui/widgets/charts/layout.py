"""A chart set out in characters: axes that fit, and everything in it through one mapping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size

from experiments.reports.looks import COLOURS, colours, target_colour
from experiments.reports.scale import limits, log_ticks, round_ticks, tick_words
from tui.drawing.ascii import to_ascii
from tui.drawing.raster import NOTHING, Cells, Raster
from tui.drawing.series import Axis, Values
from tui.drawing.strokes import Stroke, draw_rule, draw_strokes, draw_upright
from tui.widgets.charts.frame import BELOW, frame_lines, margin_of

RULE, CURSOR = len(COLOURS), len(COLOURS) + 1
"""The layers of the line that is to be reached and of the cursor, behind those of the curves."""
LEAST_WIDTH, LEAST_HEIGHT = 16, 5

Ticks = tuple[tuple[int, str], ...]
"""The columns, or rows, of labels, and the labels."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a chart shows.

    The range of y is `bounds`, else what the fitted `values` need, `top` being the highest value that there can be;
    the `target` is a line and a label of the axis. `stops` are the places of the cursor. `named` are other labels of
    the axis of x than round numbers, from the fullest to the shortest: the first for which there is room, else the
    last one, cut.
    """

    strokes: Sequence[Stroke] = ()
    values: Sequence[Values] = ()
    target: float | None = None
    log: bool = False
    bounds: tuple[float, float] | None = None
    top: float = math.inf
    stops: Values = field(default_factory=lambda: np.array([]))
    named: Sequence[Sequence[tuple[float, str]]] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawing as it lies in the widget: its lines, and the axes that the mouse is understood by."""

    lines: list[list[Segment]]
    across: Axis | None = None
    up: Axis | None = None
    margin: int = 0


def lay_out(
    drawing: Drawing, size: Size, *, empty: str = "", ascii_only: bool = False, cursor: float | None = None
) -> Layout:
    """The whole drawing in so many characters and lines; without anything to draw the `empty` words."""
    rows = size.height - BELOW
    strokes = [stroke for stroke in drawing.strokes if len(stroke.xs)]
    if not strokes or size.width < LEAST_WIDTH or size.height < LEAST_HEIGHT:
        return Layout([[Segment(empty if not strokes else "too small", Style(dim=True))]])
    fine_x, fine_y = (1, 1) if ascii_only else (2, 4)
    up = _upward(drawing, rows * fine_y)
    y_ticks = _level_ticks(up, rows, fine_y)
    margin = margin_of([label for _, label in y_ticks])
    columns = size.width - margin
    xs = [stroke.xs for stroke in strokes]
    first, last = min(float(x.min()) for x in xs), max(float(x.max()) for x in xs)
    if first == last:
        first, last = first - 1, last + 1
    across = Axis(first, last, columns * fine_x)
    whole = last - first >= 2 or all(bool((x % 1 == 0).all()) for x in xs)
    raster = Raster(columns, rows, ascii_only=ascii_only)
    if cursor is not None and first <= cursor <= last:
        draw_upright(raster, across, cursor, CURSOR)
    draw_rule(raster, up, RULE)
    draw_strokes(raster, strokes, across, up)
    marks = round_ticks(first, last, max(2, min(8, columns // 9)), min_step=1.0 if whole else 0.0)
    labels = drawing.named or [list(zip(marks, tick_words(marks), strict=True))]
    placed = [
        tuple((across.dot(mark) // fine_x, text) for mark, text in one if first <= mark <= last) for one in labels
    ]
    shortest = _cut(placed[-1], columns) if drawing.named else placed[-1]
    x_ticks = next((ticks for ticks in placed if ticks and _fit(ticks, columns)), shortest)
    lines = frame_lines(columns, rows, x_ticks, y_ticks)
    ruled = None if up.line is None else rows - 1 - up.line // fine_y
    return Layout(_segments(lines, raster.cells(), ruled, ascii_only=ascii_only), across, up, margin)


def _fit(ticks: Ticks, columns: int) -> bool:
    """Whether labels, each in the middle below its column as far as the ends allow, leave a blank between them."""
    end = -1
    for column, text in ticks:
        begin = max(min(column - len(text) // 2, columns - len(text)), 0)
        if begin <= end:
            return False
        end = begin + len(text)
    return end <= columns


def _cut(ticks: Ticks, columns: int) -> Ticks:
    """Labels at places that are equally far apart, cut so that all of them fit."""
    room = max(2 * columns // (3 * max(len(ticks) - 1, 1)) - 1, 1)
    return tuple((column, text if len(text) <= room else f"{text[: room - 1]}…") for column, text in ticks)


def _upward(drawing: Drawing, dots: int) -> Axis:
    target = drawing.target
    if drawing.bounds is not None:
        return Axis(*drawing.bounds, dots, log=drawing.log, split=target)
    ends = [float(end) for values in drawing.values if len(values) for end in (values.min(), values.max())]
    ends += [] if target is None else [target]
    return Axis(*limits(ends or [1.0], log=drawing.log, top=drawing.top), dots, log=drawing.log, split=target)


def _segments(frame: Sequence[str], cells: Cells, ruled: int | None, *, ascii_only: bool) -> list[list[Segment]]:
    """The lines of the axes and the curves; the label of row `ruled` is the target's."""
    quiet = Style(dim=True)
    frame = [to_ascii(line) for line in frame] if ascii_only else frame
    lines = []
    for row, curves in enumerate(cells):
        label = Segment(frame[row][:-1], layer_style(RULE) if row == ruled else quiet)
        inner = [Segment(text, layer_style(layer)) for text, layer in curves]
        lines.append([label, Segment(frame[row][-1:], quiet), *inner])
    return [*lines, *([Segment(line, quiet)] for line in frame[len(cells) :])]


def _level_ticks(up: Axis, rows: int, fine: int) -> Ticks:
    """The rows of round numbers and of the target, one to a row."""
    most = max(3, rows // 3)
    marks = (log_ticks if up.log else round_ticks)(up.low, up.high, most)
    named = {up.dot(mark) // fine: text for mark, text in zip(marks, tick_words(marks), strict=True)}
    if up.line is not None:
        named[up.line // fine] = f"{up.split:.4g}"
    return tuple(sorted(named.items()))


def layer_style(layer: int) -> Style:
    """The colour of a curve, of the target's line or of the cursor; of nothing, none."""
    if layer == NOTHING:
        return Style()
    if layer == CURSOR:
        return Style(bold=True)
    return Style(color=RichColor.parse(target_colour() if layer == RULE else colours()[layer % len(COLOURS)]))
