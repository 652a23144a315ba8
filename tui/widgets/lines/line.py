"""A line of text that is painted only when it differs."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget


class Line(Widget):
    """Unlike a Static, showing another text does not lay out the screen again."""

    DEFAULT_CSS = "Line { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text = Content()

    @property
    def text(self) -> str:
        return self._text.plain

    def show(self, text: Content | str) -> None:
        new = Content(text) if isinstance(text, str) else text
        if not new.is_same(self._text):
            self._text = new
            self.refresh()

    def render(self) -> Content:
        return self._text
