"""Charts as SVG text, for reports: lines with bands, points with error bars, a target.

An image is self-contained: no script, no style sheet, no font of its own. Its background is transparent and its greys
are readable on light and on dark pages. Series differ in marker and dash as well as in colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard
from xml.sax.saxutils import escape, quoteattr

GappedValues = Sequence[float | None]
"""One number a point; None and what is not finite is a gap."""
Ticks = Sequence[tuple[float, str]]
"""Places on an axis and what is written there."""

INK, GRID, TARGET = "#737b85", "#8b949e", "#d1495b"
COLOURS = ("#2f7fc1", "#d97a06", "#2a9d6f", "#9a5fc4", "#1a98ab", "#c2528b", "#8a7a2b", "#6b7fd7")
DASHES = ("", "7 3", "2 3", "9 3 2 3")
FONT, CHAR = 12, 6.6
"""Size of the text and the average width of a character, in pixels."""
LEFT, RIGHT, BOTTOM = 74, 26, 46


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """Points by rising `x`. `low` and `high` are a band around a line, and error bars on points without one."""

    label: str
    x: Sequence[float]
    y: GappedValues
    low: GappedValues | None = None
    high: GappedValues | None = None
    line: bool = True


@dataclass(frozen=True, slots=True)
class _Axis:
    """Maps values to pixels: `low` is at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


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
    target: tuple[float, str] | None = None,
    width: int = 720,
    height: int = 400,
) -> str:
    """One chart as an SVG document.

    Args:
        x_ticks: instead of round numbers, names of places on the x axis, of categories say.
        y_range: instead of all that there is; points outside are left out.
        target: a horizontal line at this value, and what it is called.
    """
    legend = list(_legend(series, width))
    top = 14 + (20 if title else 0) + (max(row for row, _, _ in legend) + 1) * 18 if legend else 34
    x_axis = _Axis(*_range([v for one in series for v in one.x], x_ticks), LEFT, width - RIGHT)
    y_axis = _Axis(*(y_range or _value_range(series, target)), height - BOTTOM, top)
    is_whole = all(float(x).is_integer() for one in series for x in one.x if _is_number(x))
    shown_x = x_ticks or [(tick, x_format(tick)) for tick in _round_ticks(x_axis, 8, min_step=1.0 if is_whole else 0.0)]
    shown_y = [(tick, y_format(tick)) for tick in _round_ticks(y_axis, 6)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label={quoteattr(title or y_label)} font-family="system-ui, sans-serif" font-size="{FONT}" '
        f'fill="{INK}">',
        f"<title>{escape(title or y_label)}</title>",
    ]
    if title:
        parts.append(_text(LEFT, 18, title, size=FONT + 2, weight="600"))
    parts += _frame(x_axis, y_axis, shown_x, shown_y)
    parts.append(_text((x_axis.start + x_axis.end) / 2, height - 8, x_label, anchor="middle"))
    parts.append(_text(14, (y_axis.start + y_axis.end) / 2, y_label, anchor="middle", turned=True))
    if target is not None and y_axis.low <= target[0] <= y_axis.high:
        at = y_axis(target[0])
        parts.append(_path([(x_axis.start, at), (x_axis.end, at)], TARGET, dash="4 4", thickness=1.2))
        parts.append(_text(x_axis.start + 4, at - 5, target[1], colour=TARGET))
    if not any(_points(one, x_axis, y_axis) for one in series):
        parts.append(_text((LEFT + width) / 2, (y_axis.start + top) / 2, "no data", anchor="middle"))
    for number, one in enumerate(series):
        parts += _spread(number, one, x_axis, y_axis)
    for number, one in enumerate(series):
        parts += _drawn(number, one, x_axis, y_axis)
    for row, left, number in legend:
        parts += _legend_entry(number, series[number], left, (40 if title else 20) + 18 * row)
    return "\n".join([*parts, "</svg>\n"])


def _value_range(series: Sequence[ChartSeries], target: tuple[float, str] | None) -> tuple[float, float]:
    values = [v for one in series for part in (one.y, one.low, one.high) for v in part or ()]
    return _range([*values, *([target[0]] if target else [])], None)


def _range(values: Iterable[float | None], ticks: Ticks | None) -> tuple[float, float]:
    """The span of the values with a little room on both sides."""
    finite = [v for v in values if _is_number(v)] + [place for place, _ in ticks or ()]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    room = 0.04 * (high - low) or abs(high) * 0.01 or 1.0
    return (low - 0.5, high + 0.5) if ticks else (low - room, high + room)


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _round_ticks(axis: _Axis, most: int, min_step: float = 0.0) -> Iterator[float]:
    """Multiples of 1, 2 or 5 times a power of ten that lie on the axis: at most `most`, at least `min_step` apart."""
    rough = max((axis.high - axis.low) / most, min_step)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough * (1 - 1e-9))
    for number in range(math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9) + 1):
        yield round(number * step, 12)


def _frame(x_axis: _Axis, y_axis: _Axis, x_ticks: Ticks, y_ticks: Ticks) -> Iterator[str]:
    left, right, bottom = x_axis.start, x_axis.end, y_axis.start
    for value, name in y_ticks:
        at = y_axis(value)
        yield _path([(left, at), (right, at)], GRID, thickness=0.6, opacity=0.35)
        yield _text(left - 8, at + 4, name, anchor="end")
    for value, name in x_ticks:
        at = x_axis(value)
        yield _path([(at, bottom), (at, bottom + 5)], GRID)
        yield _text(at, bottom + 19, name, anchor="middle")
    yield _path([(left, bottom), (right, bottom)], GRID)


def _points(series: ChartSeries, x_axis: _Axis, y_axis: _Axis) -> list[tuple[int, float, float]]:
    """Number and place of each point that can be shown."""
    return [
        (number, x_axis(x), y_axis(y))
        for number, (x, y) in enumerate(zip(series.x, series.y, strict=True))
        if _is_number(y) and _is_number(x) and y_axis.low <= y <= y_axis.high
    ]


def _spread(number: int, series: ChartSeries, x_axis: _Axis, y_axis: _Axis) -> Iterator[str]:
    """The band around a line, or the error bars of points."""
    if series.low is None or series.high is None:
        return
    colour = COLOURS[number % len(COLOURS)]
    spans = [
        (x_axis(x), _clipped(low, y_axis), _clipped(high, y_axis))
        for x, low, high in zip(series.x, series.low, series.high, strict=True)
        if _is_number(low) and _is_number(high)
    ]
    if series.line and spans:
        outline = [(x, low) for x, low, _ in spans] + [(x, high) for x, _, high in reversed(spans)]
        yield f'<path d="{_way(outline)}Z" fill="{colour}" fill-opacity="0.16"/>'
    elif not series.line:
        for x, low, high in spans:
            yield _path([(x - 4, low), (x + 4, low), (x, low), (x, high), (x - 4, high), (x + 4, high)], colour)


def _clipped(value: float, axis: _Axis) -> float:
    return axis(min(max(value, axis.low), axis.high))


def _drawn(number: int, series: ChartSeries, x_axis: _Axis, y_axis: _Axis) -> Iterator[str]:
    colour = COLOURS[number % len(COLOURS)]
    points = _points(series, x_axis, y_axis)
    if series.line:
        for stretch in _stretches(points):
            yield _path(stretch, colour, dash=_dash(number), thickness=1.8)
    for _, x, y in points:
        yield _marker(number, x, y, colour)


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


def _dash(number: int) -> str:
    return DASHES[number // len(COLOURS) % len(DASHES)] if number >= len(COLOURS) else DASHES[number % len(DASHES)]


def _marker(number: int, x: float, y: float, colour: str) -> str:
    """Circle, square, triangle, diamond, cross, in turn."""
    match number % 5:
        case 0:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}"/>'
        case 1:
            return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{colour}"/>'
        case 2:
            corners = [(x, y - 4), (x + 3.8, y + 3), (x - 3.8, y + 3)]
        case 3:
            corners = [(x, y - 4.2), (x + 4.2, y), (x, y + 4.2), (x - 4.2, y)]
        case _:
            way = _way([(x - 3, y - 3), (x + 3, y + 3)]) + _way([(x + 3, y - 3), (x - 3, y + 3)])
            return f'<path d="{way}" stroke="{colour}" stroke-width="2"/>'
    return f'<path d="{_way(corners)}Z" fill="{colour}"/>'


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


def _legend_entry(number: int, series: ChartSeries, left: float, y: float) -> Iterator[str]:
    colour = COLOURS[number % len(COLOURS)]
    if series.line:
        yield _path([(left, y - 4), (left + 24, y - 4)], colour, dash=_dash(number), thickness=1.8)
    yield _marker(number, left + 12, y - 4, colour)
    yield _text(left + 30, y, series.label)


def _way(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _path(
    points: Iterable[tuple[float, float]], colour: str, *, dash: str = "", thickness: float = 1.0, opacity: float = 1.0
) -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    faint = f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<path d="{_way(points)}" fill="none" stroke="{colour}" stroke-width="{thickness:g}"{dashes}{faint}/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = FONT,
    weight: str = "",
    colour: str = "",
    turned: bool = False,
) -> str:
    more = f' font-size="{size}"' if size != FONT else ""
    more += f' font-weight="{weight}"' if weight else ""
    more += f' fill="{colour}"' if colour else ""
    more += f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'
