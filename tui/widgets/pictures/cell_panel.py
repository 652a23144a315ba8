"""One cell of a confusion matrix: in words, and the digit of it that the network is surest of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui.drawing.digit import Digit
from tui.drawing.picture import palette_of
from tui.widgets.pictures.gallery import CARD_STYLES, LINES, CardStyles, card_lines


class CellPanel(Widget):
    """Words, and below them a card where there is room for one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"cell-panel--{name}" for name in CARD_STYLES}
    DEFAULT_CSS = """
    CellPanel { border: round $foreground 25%; border-title-color: $text-muted; padding: 0 1; }
    CellPanel > .cell-panel--good { color: $text-success; }
    CellPanel > .cell-panel--bad { color: $text-error; }
    CellPanel > .cell-panel--plain { color: $text-muted; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._words: tuple[str, ...] = ()
        self._digit: Digit | None = None
        self._lines: list[list[Segment]] = []
        self._drawn_for: object = None

    def show(self, words: Sequence[str], digit: Digit | None) -> None:
        """Lines of text, the first of which stands out, and a digit."""
        self._words, self._digit, self._drawn_for = tuple(words), digit, None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        key = (self.size, self.app.theme)
        if key != self._drawn_for:
            self._drawn_for = key
            self._lines = self._draw()
        base = self.rich_style
        line = self._lines[y] if y < len(self._lines) else []
        return Strip(line).apply_style(base).adjust_cell_length(self.size.width, base)

    def _draw(self) -> list[list[Segment]]:
        width, height = self.size
        lines: list[list[Segment]] = [
            [Segment(words, Style(bold=number == 0))] for number, words in enumerate(self._words)
        ]
        if self._digit is not None and width >= 38 and height >= len(lines) + 1 + LINES:
            styles = CardStyles(*(self.get_component_rich_style(f"cell-panel--{name}") for name in CARD_STYLES))
            lines += [[], *card_lines(self._digit, width, palette_of(self.app), styles, current=False)]
        return lines
