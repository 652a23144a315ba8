"""Charts. The only file that knows plotext, whose plots are not thread-safe and raise on what a loss can be."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.color import Color
from textual.widget import Widget
from textual_plotext.plot import Plot

from tui.ascii import to_ascii

LEAST_INTERVAL = 0.5
"""Seconds between two drawings, at least; a drawing that takes long is given ten times its own time."""
SHARE = 10
SMOOTHING = (0.0, 0.6, 0.9, 0.97)
"""Weights of the exponential mean that the steps of smoothing stand for."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points to be joined. `kind` chooses marker and colour, so that series differ by more than colour."""

    label: str
    kind: str
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass(frozen=True, slots=True)
class Markers:
    line: str
    dots: str
    raw: str


UNICODE = Markers(line="braille", dots="dot", raw="·")
ASCII = Markers(line="*", dots="o", raw=".")


class Chart(Widget, can_focus=True):
    """Series over x, drawn when data, size or theme have changed and not more often than every half second."""

    DEFAULT_CSS = """
    Chart { border: round $foreground 25%; border-title-color: $text-muted; border-subtitle-color: $text-muted; }
    Chart:focus { border: round $primary; }
    """

    def __init__(self, title: str, empty: str, *, id: str, ascii_only: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = title
        self.empty = empty
        self._markers = ASCII if ascii_only else UNICODE
        self._ascii = ascii_only
        self._series: tuple[Series, ...] = ()
        self._target: float | None = None
        self._log = False
        self._key: object = None
        self._drawn_key: object = None
        self._frame = Text()
        self._drawn_at = -math.inf
        self._cost = 0.0
        self._waiting = False

    def show(
        self, key: object, series: Sequence[Series], *, title: str, target: float | None = None, log: bool = False
    ) -> None:
        """Show these series. Nothing happens while `key`, which stands for the data, is the same."""
        if key == self._key:
            return
        self._key = key
        self._series, self._target, self._log = tuple(series), target, log
        self.border_title = title
        self.border_subtitle = self._legend()
        self._redraw_when_due()

    def _redraw_when_due(self) -> None:
        if self._waiting:
            return
        wait = self._drawn_at + max(LEAST_INTERVAL, SHARE * self._cost) - time.monotonic()
        if wait <= 0:
            self.refresh()
        else:
            self._waiting = True
            self.set_timer(wait, self._redraw)

    def _redraw(self) -> None:
        self._waiting = False
        self.refresh()

    def _legend(self) -> str:
        signs = {"train": "⣀" if not self._ascii else "*", "test": "•" if not self._ascii else "o"}
        signs |= {"raw": "·", "smooth": signs["train"]}
        labels = [f"{signs[series.kind]} {series.label}" for series in self._series]
        if self._target is not None and labels:
            labels.append(f"─ target {self._target:g}")
        return "  ".join(labels)

    def render(self) -> Text:
        size = self.content_size
        key = (self._key, size, self.app.theme)
        due = time.monotonic() - self._drawn_at >= LEAST_INTERVAL or not self._frame
        if key != self._drawn_key:
            if due:
                self._draw(size.width, size.height)
                self._drawn_key = key
            else:  # a resize in quick succession: the last frame stands in, cut to size by Textual
                self._redraw_when_due()
        return self._frame

    def _draw(self, width: int, height: int) -> None:
        started = time.monotonic()
        drawable = [s for s in (_clean(series, log=self._log) for series in self._series) if s.xs]
        if not drawable or width < 16 or height < 4:
            self._frame = Text(self.empty if not drawable else "too small", style="dim")
            return
        try:
            text = Text.from_ansi(self._build(drawable, width, height), no_wrap=True, end="")
        except Exception:  # noqa: BLE001  # plotext raises all sorts of things; a chart is not worth a run
            if not self._frame:
                self._frame = Text("this cannot be drawn", style="dim")
            return
        self._frame = Text(to_ascii(text.plain), spans=text.spans, no_wrap=True, end="") if self._ascii else text
        self._drawn_at = time.monotonic()
        self._cost = self._drawn_at - started

    def _build(self, drawable: list[Series], width: int, height: int) -> str:
        plot = Plot()
        plot.plotsize(width, height)
        plot._set_size(width, height)
        plot.theme("clear")
        if self._log:
            plot.yscale("log")
        target = self._target if self._target is not None and (self._target > 0 or not self._log) else None
        if target is not None:
            plot.hline(target, self._colour("warning"))
        for series in drawable:
            thin = bucketed(series, 2 * width)
            colour = self._colour(
                {"train": "primary", "test": "accent", "raw": "secondary"}.get(series.kind, "primary")
            )
            marker = {"test": self._markers.dots, "raw": self._markers.raw}.get(series.kind, self._markers.line)
            draw = plot.scatter if series.kind == "raw" else plot.plot
            draw(list(thin.xs), list(thin.ys), marker=marker, color=colour)
        low, high = limits(drawable, target, log=self._log)
        plot.ylim(*((math.log10(low), math.log10(high)) if self._log else (low, high)))
        levels = log_ticks(low, high, max(2, height // 3)) if self._log else ticks(low, high, max(2, height // 4))
        plot.yticks(levels, [f"{level:.4g}" for level in levels])
        first, last = min(s.xs[0] for s in drawable), max(s.xs[-1] for s in drawable)
        if first == last:
            first, last = first - 1, last + 1
        plot.xlim(first, last)
        marks = ticks(first, last, max(2, min(8, width // 10)), least=1)
        plot.xticks(marks, [f"{mark:,.0f}" for mark in marks])
        frame: str = plot.build()
        return frame

    def _colour(self, name: str) -> tuple[int, int, int]:
        return Color.parse(self.app.theme_variables[f"text-{name}" if name == "warning" else name]).rgb


def bucketed(series: Series, buckets: int) -> Series:
    """The lowest and the highest point of each bucket, so that cost follows the plot's width, not the data's length."""
    count = len(series.xs)
    if count <= 2 * buckets:
        return series
    xs: list[float] = []
    ys: list[float] = []
    for index in range(buckets):
        start, stop = index * count // buckets, (index + 1) * count // buckets
        part = series.ys[start:stop]
        low, high = start + part.index(min(part)), start + part.index(max(part))
        for point in sorted({low, high}):
            xs.append(series.xs[point])
            ys.append(series.ys[point])
    return Series(series.label, series.kind, xs, ys)


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Exponential mean, corrected for its start; values that are not finite are passed over."""
    if not weight:
        return list(values)
    smooth: list[float] = []
    mean, norm = 0.0, 0.0
    for value in values:
        if math.isfinite(value):
            mean = weight * mean + (1 - weight) * value
            norm = weight * norm + 1 - weight
        smooth.append(mean / norm if norm else value)
    return smooth


def _clean(series: Series, *, log: bool) -> Series:
    """Without the points that cannot be drawn."""
    points = [(x, y) for x, y in zip(series.xs, series.ys, strict=False) if math.isfinite(y) and (y > 0 or not log)]
    return Series(series.label, series.kind, [x for x, _ in points], [y for _, y in points])


def limits(drawable: Sequence[Series], target: float | None, *, log: bool) -> tuple[float, float]:
    """The range of y, with some room that never crosses zero or, for percentages, a hundred."""
    values = [value for series in drawable for value in (min(series.ys), max(series.ys))]
    values += [target] if target is not None else []
    low, high = min(values), max(values)
    if log:
        return low / 1.15, high * 1.15
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    bottom = max(0.0, low - margin) if low >= 0 else low - margin
    return bottom, 100.0 if high <= 100 < high + margin else high + margin


def ticks(low: float, high: float, count: int, *, least: float = 0.0) -> list[float]:
    """About `count` round numbers within a range, at least `least` apart."""
    raw = max((high - low) / count, least, 1e-12)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)] or [low, high]


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """1, 2 and 5 times powers of ten within a range, thinned to the powers alone when there are too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]
        if len(found) <= count:
            break
    return found if len(found) >= 2 else [low, high]
