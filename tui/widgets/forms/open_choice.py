"""One of a few words, or anything else that is typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tui.widgets.forms.field import Field


class OpenChoice(Field):
    """A field to type in. While all of it is selected, as it is when it gets the focus, left and right go through the
    options; what was typed is one of them then."""

    def __init__(self, options: Sequence[str], value: str, **how: Any) -> None:
        super().__init__(value, **how)
        self._options = tuple(options)
        self._typed = ""

    def action_cursor_left(self, select: bool = False) -> None:
        if select or not self._turned(-1):
            super().action_cursor_left(select)

    def action_cursor_right(self, select: bool = False) -> None:
        if select or not self._turned(1):
            super().action_cursor_right(select)

    def _turned(self, by: int) -> bool:
        """Take the next option, or the one before, unless the text is being edited."""
        low, high = sorted(self.selection)
        if (low, high) != (0, len(self.value)):
            return False
        if self.value not in self._options:
            self._typed = self.value
        options = [*self._options, *([self._typed] if self._typed else [])]
        at = options.index(self.value) if self.value in options else -1
        self.value = options[(at + by) % len(options)]
        self.select_whole()
        return True
