"""Charts. The only file that knows plotext, whose plots are not thread-safe and raise on what a loss can be."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.color import Color
from textual.geometry import Size
from textual.widget import Widget
from textual_plotext.plot import Plot

from tui.drawing.ascii import to_ascii
from tui.drawing.raster import BRAILLE, rasterise
from tui.drawing.series import Axis, Series, bucketed, drawable_points, limits, log_ticks, ticks

LEAST_INTERVAL = 0.5
"""Seconds between two drawings, at least."""
SHARE = 40
"""A drawing that takes long is given so many times its own time: what it costs, training on the CPU loses twice."""


@dataclass(frozen=True, slots=True)
class Markers:
    line: str
    dots: str
    raw: str


UNICODE = Markers(line=BRAILLE, dots="•", raw="·")
ASCII = Markers(line="*", dots="o", raw=".")


class Chart(Widget, can_focus=True):
    """Series over x, drawn when data, size or theme have changed and not more often than every half second."""

    DEFAULT_CSS = """
    Chart { border: round $foreground 25%; border-title-color: $text-muted; border-subtitle-color: $text-muted; }
    Chart:focus { border: round $primary; }
    """

    def __init__(self, title: str, empty: str, *, id: str, ascii_only: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = self._title = title
        self.empty = empty
        self._markers = ASCII if ascii_only else UNICODE
        self._ascii = ascii_only
        self._make: Callable[[], Sequence[Series]] = tuple
        self._series: tuple[Series, ...] = ()
        self._target: float | None = None
        self._log = False
        self._key: object = None
        self._made_for: object = None
        self._drawn_key: tuple[object, Size, str] | None = None
        self._frame = Text()
        self._drawn_at = -math.inf
        self._cost = 0.0
        self._waiting = False

    def show(
        self,
        key: object,
        series: Callable[[], Sequence[Series]],
        *,
        title: str,
        target: float | None = None,
        log: bool = False,
        now: bool = False,
    ) -> None:
        """Show these series, made when they are drawn: when that is due, or `now`.

        Nothing happens while `key`, which stands for the data, is the same.
        """
        if key == self._key:
            return
        self._key = key
        self._make, self._title, self._target, self._log = series, title, target, log
        if now:
            self._redraw()
        elif not self._waiting:
            self._redraw_when_due()

    def _redraw_when_due(self) -> None:
        wait = self._drawn_at + max(LEAST_INTERVAL, SHARE * self._cost) - time.monotonic()
        self._waiting = wait > 0
        if self._waiting:
            self.set_timer(wait, self._redraw)
        else:
            self._redraw()

    def _redraw(self) -> None:
        self._waiting = False
        self._series, self._made_for = tuple(self._make()), self._key
        self.border_title = self._title
        self.border_subtitle = self._legend()
        self.refresh()

    def _legend(self) -> str:
        signs = {"train": "⣀" if not self._ascii else "*", "test": "•" if not self._ascii else "o"}
        signs |= {"raw": "·", "smooth": signs["train"]}
        labels = [f"{signs[series.kind]} {series.label}" for series in self._series]
        if self._target is not None and labels:
            labels.append(f"─ target {self._target:g}")
        return "  ".join(labels)

    def render(self) -> Text:
        key = (self._made_for, self.content_size, self.app.theme)
        if key != self._drawn_key:
            resized = self._drawn_key is not None and key[0] == self._drawn_key[0] and key[2] == self._drawn_key[2]
            if resized and time.monotonic() - self._drawn_at < LEAST_INTERVAL:
                # One of many sizes in quick succession: the last frame stands in, cut to size by Textual.
                if not self._waiting:
                    self._redraw_when_due()
            else:
                self._draw(*key[1])
                self._drawn_key = key
        return self._frame

    def _draw(self, width: int, height: int) -> None:
        started = time.monotonic()
        drawable = [s for s in (drawable_points(series, log=self._log) for series in self._series) if len(s.xs)]
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
        target = self._target if self._target is not None and (self._target > 0 or not self._log) else None
        low, high = limits(drawable, target, log=self._log)
        levels = log_ticks(low, high, max(2, height // 3)) if self._log else ticks(low, high, max(2, height // 4))
        labels = [f"{level:.4g}" for level in levels]
        first, last = min(float(s.xs[0]) for s in drawable), max(float(s.xs[-1]) for s in drawable)
        if first == last:
            first, last = first - 1, last + 1
        marks = ticks(first, last, max(2, min(8, width // 10)), min_step=1)
        # What plotext leaves for the curves beside its axes and their labels. It is told places in there, not values:
        # it need not know of scales then.
        columns, rows = width - 2 - max(map(len, labels)), height - 3
        across = Axis(first, last, columns)
        up = Axis(low, high, rows, log=self._log)
        plot = Plot()
        plot.plotsize(width, height)
        plot._set_size(width, height)
        plot.theme("clear")
        if target is not None:
            plot.hline(up.place(target), self._colour("warning"))
        for series in drawable:
            thin = bucketed(series, 2 * width)
            marker = {"test": self._markers.dots, "raw": self._markers.raw}.get(series.kind, self._markers.line)
            x, y = across.fractions(thin.xs), up.fractions(thin.ys)
            *places, characters = rasterise(x, y, columns, rows, marker=marker, joined=series.kind != "raw")
            kind = {"train": "primary", "test": "accent", "raw": "secondary"}.get(series.kind, "primary")
            # One marker for each point, which textual-plotext's types do not know of.
            plot.scatter(*places, marker=characters, color=self._colour(kind))  # type: ignore[arg-type]
        plot.xlim(0, columns - 1)
        plot.ylim(0, rows - 1)
        plot.yticks([up.place(level) for level in levels], labels)
        plot.xticks([across.place(mark) for mark in marks], [f"{mark:,.0f}" for mark in marks])
        frame: str = plot.build()
        return frame

    def _colour(self, name: str) -> tuple[int, int, int]:
        return Color.parse(self.app.theme_variables[f"text-{name}" if name == "warning" else name]).rgb
