"""One image as a network sees it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from textual.strip import Strip
from textual.widget import Widget

from tui.drawing.picture import digit_values, palette_of, picture


class Seen(Widget):
    """(28, 28) uint8, or nothing yet."""

    DEFAULT_CSS = """
    Seen { border: round $foreground 25%; border-title-color: $text-muted; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = "As the network sees it"
        self._image = np.zeros((28, 28), dtype=np.uint8)

    def show(self, image: NDArray[np.uint8] | None) -> None:
        self._image = np.zeros((28, 28), dtype=np.uint8) if image is None else image
        self.refresh()

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        rows = self._image[2 * y : 2 * y + 2]
        line = picture(digit_values(rows), palette_of(self.app))[0] if len(rows) else []
        return Strip(line).apply_style(base).adjust_cell_length(self.size.width, base)
