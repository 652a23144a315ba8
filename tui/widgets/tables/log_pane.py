"""The events of a run, a line for each that is not mere progress."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tui.widgets.tables.table import Cell, Column, Table

TIME_WIDTH = 8


class LogPane(Table):
    """Long lines are folded."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__((Column("", TIME_WIDTH), Column("", 0)), cursor=False, header=False, follow=True, id=id)
        self._folded_for: object = None
        self._rows: list[tuple[Cell, ...]] = []

    def show_lines(self, lines: Sequence[tuple[str, str]]) -> None:
        """Show lines of (time, text)."""
        width = max(self.size.width - TIME_WIDTH - 5, 10)
        key = (len(lines), lines[-1:], width)
        if key == self._folded_for:
            return
        self._folded_for = key
        self._rows = [
            ((time if number == 0 else "", "muted"), part)
            for time, text in lines
            for number, part in enumerate(textwrap.wrap(text, width) or [""])
        ]
        self.show(len(self._rows), lambda index: self._rows[index])
