"""A small plot, drawn in characters of our own: lines with a label here and there."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.geometry import Size
from textual.widget import Widget

from experiments.reports.looks import HELD_OUT, TEST, colours, target_colour
from tui.drawing.plot import LinePlot

MakePlot = Callable[[bool], LinePlot]
"""Makes a plot, in ASCII or not."""


class PlotView(Widget):
    """Painted when what it shows or its size has changed. What a run is scored on looks as in the large charts."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"plot--label", "plot--raw", "plot--mark"}
    DEFAULT_CSS = """
    PlotView { color: $primary; text-wrap: nowrap; }
    PlotView > .plot--label { color: $text-muted; }
    PlotView > .plot--raw { color: $secondary; }
    PlotView > .plot--mark { color: $text-warning; text-style: bold; }
    """
    STYLES: ClassVar[dict[str, str]] = {
        "label": "plot--label",
        "axis": "plot--label",
        "raw": "plot--raw",
        "mark": "plot--mark",
    }

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._key: object = None
        self._make: MakePlot | None = None
        self._drawn: tuple[object, Size, str] | None = None
        self._text = Text()

    def show(self, key: object, make: MakePlot) -> None:
        """Show a plot, which is made when it is painted. Nothing happens while `key`, which stands for it, is equal."""
        if key != self._key:
            self._key, self._make = key, make
            self.refresh()

    def clear(self) -> None:
        """Show nothing."""
        if self._make is not None:
            self._key, self._make, self._drawn, self._text = None, None, None, Text()
            self.refresh()

    def render(self) -> Text:
        key = (self._key, self.content_size, self.app.theme)
        if self._make is not None and key != self._drawn:
            self._drawn = key
            plot = self._make(getattr(self.app, "ascii_only", False))
            styles: dict[str, Style | str] = {
                kind: self.get_component_rich_style(name, partial=True) for kind, name in self.STYLES.items()
            }
            styles |= {"test": colours()[TEST], "held out": colours()[HELD_OUT], "rule": target_colour()}
            lines = plot.lines(*self.content_size)
            texts = [Text.assemble(*((text, styles.get(kind, "")) for text, kind in line)) for line in lines]
            self._text = Text("\n", no_wrap=True).join(texts)
        return self._text
