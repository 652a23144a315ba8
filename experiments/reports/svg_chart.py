"""Charts as SVG text, for reports: lines with bands, points with error bars, a target.

An image is self-contained: no script, no style sheet, no font of its own. Its background is transparent and its greys
are readable on light and on dark pages. Series differ in marker and dash as well as in colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeGuard
from xml.sax.saxutils import escape, quoteattr

from experiments.reports.looks import COLOURS, target_colour
from experiments.reports.scale import limits, log_ticks, round_ticks
from experiments.reports.svg_marks import CHAR, FONT, INK, colour_of, marker, path, text, way

GappedValues = Sequence[float | None]
"""One number a point; None and what is not finite is a gap."""
Ticks = Sequence[tuple[float, str]]
"""Places on an axis and what is written there."""

GRID = "#8b949e"
DASHES = ("", "7 3", "2 3", "9 3 2 3")
LEFT, RIGHT, BOTTOM = 74, 26, 46
TICK_WIDTH, TICK_HEIGHT = 80, 55
"""Pixels between two ticks of an axis, about."""


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """Points by rising `x`. `low` and `high` are a band around a line, and error bars on points without one.

    `look` chooses colour and marker, and is the place among the series where it is None. A line has the dash `dash`,
    that of its look where it is None, and without `marked` no markers. What is not `fitted` has no say in the range of
    y, and is cut off at its ends.
    """

    label: str
    x: Sequence[float]
    y: GappedValues
    low: GappedValues | None = None
    high: GappedValues | None = None
    line: bool = True
    look: int | None = None
    dash: str | None = None
    marked: bool = True
    fitted: bool = True


@dataclass(frozen=True, slots=True)
class _Axis:
    """Maps values to pixels: `low` is at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        return self.start + self._part(value) * (self.end - self.start)

    def _part(self, value: float) -> float:
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def can_show(self, value: float | None) -> TypeGuard[float]:
        return _is_number(value) and (value > 0 or not self.log)

    @property
    def pixels(self) -> float:
        return abs(self.end - self.start)


def percent_tick(value: float) -> str:
    """A fraction as a percentage without needless zeros: 0.9925 as ``99.25%``."""
    return f"{100 * value:.4f}".rstrip("0").rstrip(".") + "%"


def plain_tick(value: float) -> str:
    """A number as people write it: 19458 as ``19,458``."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


def line_chart(
    series: Sequence[ChartSeries],
    *,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    x_format: Callable[[float], str] = plain_tick,
    y_format: Callable[[float], str] = plain_tick,
    x_ticks: Ticks | None = None,
    y_range: tuple[float, float] | None = None,
    y_top: float = math.inf,
    log: bool = False,
    target: tuple[float, str] | None = None,
    width: int = 720,
    height: int = 400,
) -> str:
    """One chart as an SVG document.

    Args:
        x_ticks: instead of round numbers, names of places on the x axis, of categories say.
        y_range: instead of all that there is; lines are cut off at its ends, and points outside are left out.
        y_top: the highest value that there can be.
        log: y on a log scale, without what is not above zero.
        target: a horizontal line at this value, and what it is called; it is labelled on the axis too.
    """
    legend = list(_legend(series, width))
    top = 14 + (20 if title else 0) + (max(row for row, _, _ in legend) + 1) * 18 if legend else 34
    x_axis = _Axis(*_x_range(series, x_ticks), LEFT, width - RIGHT)
    y_axis = _Axis(*(y_range or _value_range(series, target, y_top, log=log)), height - BOTTOM, top, log)
    is_whole = all(float(x).is_integer() for one in series for x in one.x if _is_number(x))
    most = max(2, round(x_axis.pixels / TICK_WIDTH))
    marks = round_ticks(x_axis.low, x_axis.high, most, min_step=1.0 if is_whole else 0.0)
    shown_x = x_ticks or [(tick, x_format(tick)) for tick in marks]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label={quoteattr(title or y_label)} font-family="system-ui, sans-serif" font-size="{FONT}" '
        f'fill="{INK}">',
        f"<title>{escape(title or y_label)}</title>",
    ]
    if title:
        parts.append(text(LEFT, 18, title, size=FONT + 2, weight="600"))
    aim = target if target is not None and y_axis.low <= target[0] <= y_axis.high else None
    parts += _frame(x_axis, y_axis, shown_x, _y_ticks(y_axis, y_format, aim), aim)
    parts.append(text((x_axis.start + x_axis.end) / 2, height - 8, x_label, anchor="middle"))
    parts.append(text(14, (y_axis.start + y_axis.end) / 2, y_label, anchor="middle", turned=-90))
    if aim is not None:
        at = y_axis(aim[0])
        parts.append(path([(x_axis.start, at), (x_axis.end, at)], target_colour(), dash="4 4", thickness=1.2))
        parts.append(
            text(x_axis.start + 4, at - 5 if at - top > FONT else at + FONT + 2, aim[1], colour=target_colour())
        )
    if not any(_points(one, x_axis, y_axis) for one in series):
        parts.append(text((LEFT + width) / 2, (y_axis.start + top) / 2, "no data", anchor="middle"))
    for number, one in enumerate(series):
        parts += _spread(_look(number, one), one, x_axis, y_axis)
    for number, one in enumerate(series):
        parts += _drawn(_look(number, one), one, x_axis, y_axis)
    for row, left, number in legend:
        parts += _legend_entry(_look(number, series[number]), series[number], left, (40 if title else 20) + 18 * row)
    return "\n".join([*parts, "</svg>\n"])


def _look(number: int, series: ChartSeries) -> int:
    return number if series.look is None else series.look


def _value_range(
    series: Sequence[ChartSeries], target: tuple[float, str] | None, top: float, *, log: bool
) -> tuple[float, float]:
    parts = [part for one in series if one.fitted for part in (one.y, one.low, one.high)]
    values = [v for part in parts for v in part or () if _is_number(v) and (v > 0 or not log)]
    return limits([*values, *([target[0]] if target else [])] or [1.0], log=log, top=top)


def _x_range(series: Sequence[ChartSeries], ticks: Ticks | None) -> tuple[float, float]:
    """The span of the values with a little room on both sides."""
    finite = [x for one in series for x in one.x if _is_number(x)] + [place for place, _ in ticks or ()]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    room = 0.04 * (high - low) or abs(high) * 0.01 or 1.0
    return (low - 0.5, high + 0.5) if ticks else (low - room, high + room)


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _y_ticks(axis: _Axis, words: Callable[[float], str], target: tuple[float, str] | None) -> Ticks:
    """Round numbers, and the target in place of one that would lie on it."""
    most = max(2, round(axis.pixels / TICK_HEIGHT))
    marks = (log_ticks if axis.log else round_ticks)(axis.low, axis.high, most)
    if target is None:
        return [(mark, words(mark)) for mark in marks]
    far = [mark for mark in marks if abs(axis(mark) - axis(target[0])) >= FONT + 2]
    return [(mark, words(mark)) for mark in sorted([*far, target[0]])]


def _frame(
    x_axis: _Axis, y_axis: _Axis, x_ticks: Ticks, y_ticks: Ticks, target: tuple[float, str] | None
) -> Iterator[str]:
    left, right, bottom = x_axis.start, x_axis.end, y_axis.start
    for value, name in y_ticks:
        at = y_axis(value)
        if target is not None and value == target[0]:
            yield text(left - 8, at + 4, name, anchor="end", colour=target_colour(), weight="600")
        else:
            yield path([(left, at), (right, at)], GRID, thickness=0.6, opacity=0.35)
            yield text(left - 8, at + 4, name, anchor="end")
    for value, name in x_ticks:
        at = x_axis(value)
        yield path([(at, bottom), (at, bottom + 5)], GRID)
        yield text(at, bottom + 19, name, anchor="middle")
    yield path([(left, bottom), (right, bottom)], GRID)


def _points(series: ChartSeries, x_axis: _Axis, y_axis: _Axis) -> list[tuple[int, float, float]]:
    """Number and place of each point that can be shown; some of these may lie above or below the chart."""
    return [
        (number, x_axis(x), y_axis(y))
        for number, (x, y) in enumerate(zip(series.x, series.y, strict=True))
        if _is_number(x) and y_axis.can_show(y)
    ]


def _inside(y: float, axis: _Axis) -> bool:
    return axis.end - 0.05 <= y <= axis.start + 0.05


def _spread(look: int, series: ChartSeries, x_axis: _Axis, y_axis: _Axis) -> Iterator[str]:
    """The band around a line, or the error bars of points."""
    if series.low is None or series.high is None:
        return
    colour = colour_of(look)
    spans = [
        (x_axis(x), _clipped(low, y_axis), _clipped(high, y_axis))
        for x, low, high in zip(series.x, series.low, series.high, strict=True)
        if y_axis.can_show(low) and y_axis.can_show(high)
    ]
    if series.line and spans:
        outline = [(x, low) for x, low, _ in spans] + [(x, high) for x, _, high in reversed(spans)]
        yield f'<path d="{way(outline)}Z" fill="{colour}" fill-opacity="0.16"/>'
    elif not series.line:
        for x, low, high in spans:
            yield path([(x - 4, low), (x + 4, low), (x, low), (x, high), (x - 4, high), (x + 4, high)], colour)


def _clipped(value: float, axis: _Axis) -> float:
    return axis(min(max(value, axis.low), axis.high))


def _drawn(look: int, series: ChartSeries, x_axis: _Axis, y_axis: _Axis) -> Iterator[str]:
    points = _points(series, x_axis, y_axis)
    if series.line:
        for stretch in _stretches(points):
            for part in _cut(stretch, y_axis):
                yield path(part, colour_of(look), dash=_dash(look, series), thickness=1.8)
    for _, x, y in points:
        if _inside(y, y_axis) and (series.marked or not series.line):
            yield marker(look, x, y)


def _stretches(points: Sequence[tuple[int, float, float]]) -> Iterator[list[tuple[float, float]]]:
    """The points, parted where some between them cannot be shown."""
    stretch: list[tuple[float, float]] = []
    last = -1
    for index, x, y in points:
        if stretch and index != last + 1:
            yield stretch
            stretch = []
        stretch.append((x, y))
        last = index
    if stretch:
        yield stretch


def _cut(stretch: Sequence[tuple[float, float]], axis: _Axis) -> Iterator[list[tuple[float, float]]]:
    """The parts of a line that lie within the chart, cut off where it leaves it."""
    if all(_inside(y, axis) for _, y in stretch):
        yield list(stretch)
        return
    part: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in pairwise(stretch):
        ends = [0.0, 1.0]
        if y0 != y1:
            ends += [share for edge in (axis.end, axis.start) if 0 < (share := (edge - y0) / (y1 - y0)) < 1]
        for first, last in pairwise(sorted(ends)):
            here, there = ((x0 + (x1 - x0) * share, y0 + (y1 - y0) * share) for share in (first, last))
            if _inside((here[1] + there[1]) / 2, axis):
                part = [*(part or [here]), there]
            elif part:
                yield part
                part = []
    if part:
        yield part


def _dash(look: int, series: ChartSeries) -> str:
    if series.dash is not None:
        return series.dash
    return DASHES[look // len(COLOURS) % len(DASHES)] if look >= len(COLOURS) else DASHES[look % len(DASHES)]


def _legend(series: Sequence[ChartSeries], width: int) -> Iterator[tuple[int, float, int]]:
    """Row, left end and number of each series that has a label."""
    row, left = 0, float(LEFT)
    for number, one in enumerate(series):
        if not one.label:
            continue
        needed = 34 + CHAR * len(one.label)
        if left > LEFT and left + needed > width - RIGHT:
            row, left = row + 1, float(LEFT)
        yield row, left, number
        left += needed + 12


def _legend_entry(look: int, series: ChartSeries, left: float, y: float) -> Iterator[str]:
    if series.line:
        yield path([(left, y - 4), (left + 24, y - 4)], colour_of(look), dash=_dash(look, series), thickness=1.8)
    if series.marked or not series.line:
        yield marker(look, left + 12, y - 4)
    yield text(left + 30, y, series.label)
