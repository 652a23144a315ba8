"""Words that fill as many lines as they need."""

from __future__ import annotations

import textwrap

from textual.widgets import Static


class Paragraph(Static):
    """Unlike a plain Static, showing other words lays out the screen only when they take more or fewer lines."""

    def __init__(self, *, id: str, min_height: int = 0) -> None:  # noqa: A002
        """`min_height` lines are set aside for it in any case."""
        super().__init__(id=id, markup=False)
        self._words = ""
        self._min_height = min_height
        self.styles.min_height = min_height

    def show(self, words: str) -> None:
        if words != self._words:
            self._words = words
            self.update(words, layout=self._height(words) != self.content_size.height)

    def _height(self, words: str) -> int:
        """Number of lines; 0 before there is a width."""
        width = self.content_size.width
        if width <= 0:
            return self._min_height
        # Textual does not break words at hyphens.
        lines = sum(max(1, len(textwrap.wrap(line, width, break_on_hyphens=False))) for line in words.splitlines())
        return max(lines, self._min_height)
