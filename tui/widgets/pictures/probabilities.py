"""Probabilities of classes as bars, and what they come to in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from core.task import DIGITS
from tui.drawing.bars import probability_lines, short


class Probabilities(Widget):
    COMPONENT_CLASSES: ClassVar[set[str]] = {"probabilities--good", "probabilities--plain"}
    DEFAULT_CSS = """
    Probabilities { border: round $foreground 25%; border-title-color: $text-muted; padding: 0 1; }
    Probabilities > .probabilities--good { color: $text-success; }
    Probabilities > .probabilities--plain { color: $text-muted; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = "It is"
        self._probabilities: tuple[float, ...] | None = None
        self._names: Sequence[str] = DIGITS

    def show(self, probabilities: Sequence[float] | None, names: Sequence[str] = DIGITS) -> None:
        """Show those of the classes of these names, or none."""
        self._probabilities = None if probabilities is None else tuple(probabilities)
        self._names = names
        self.refresh()

    @property
    def verdict(self) -> str:
        if self._probabilities is None:
            return "nothing yet"
        likeliest = max(range(len(self._probabilities)), key=self._probabilities.__getitem__)
        name = self._names[likeliest]
        return f"{f'a {name}' if name.isdigit() else short(name, 24)}, {100 * self._probabilities[likeliest]:.1f}% sure"

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y == 0:
            return Strip([Segment(self.verdict, base + Style(bold=True))]).adjust_cell_length(width, base)
        if self._probabilities is None:
            return Strip.blank(width, base)
        plain, good = (self.get_component_rich_style(f"probabilities--{name}") for name in ("plain", "good"))
        lines = probability_lines(
            self._probabilities, width, truth=None, plain=plain, good=good, bad=good, names=self._names
        )
        return Strip(lines[y - 1] if y <= len(lines) else ()).apply_style(base).adjust_cell_length(width, base)
