"""Choosing the columns of the list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.text.columns import ALWAYS, NAMES
from tui.text.keys import with_keys
from tui.widgets.keys import bind
from tui.widgets.tables.run_table import COLUMNS
from tui.widgets.tables.table import Column, Table

FREE = tuple(name for name in NAMES if name not in ALWAYS)
"""The columns that there is a choice about."""


class ChooseColumns(ModalScreen[tuple[str, ...] | None]):
    """Dismissed with the names of the columns, with none for the usual ones, or with None for escape."""

    DEFAULT_CSS = f"""
    ChooseColumns {{ align: center middle; background: $background 60%; }}
    ChooseColumns Table {{ height: {len(FREE)}; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("turn", "turn", "On or off"),
        bind("undo", "usual", "The usual ones"),
        bind("back", "dismiss(None)", "Cancel"),
    ]

    def __init__(self, chosen: Sequence[str]) -> None:
        super().__init__()
        self._wanted = set(chosen)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = Content("Columns")
            yield Table((Column("", 3), Column("", 13), Column("", 0)), header=False, id="columns")
            words = "{turn} turns one on or off, {open} saves, {undo} restores the usual ones, {back} cancels"
            yield Static(with_keys(words), classes="keys", markup=False)

    def on_mount(self) -> None:
        self._show()

    @property
    def _table(self) -> Table:
        return self.query_one("#columns", Table)

    def _show(self) -> None:
        wanted = set(self._wanted)
        rows = [("[x]" if name in wanted else "[ ]", COLUMNS[name].column.title, COLUMNS[name].help) for name in FREE]
        self._table.show(len(rows), lambda row: rows[row])

    def action_turn(self) -> None:
        self._wanted ^= {FREE[self._table.cursor_row]}
        self._show()

    @on(Table.Chosen)
    def _done(self) -> None:
        self.dismiss(tuple(name for name in NAMES if name in self._wanted or name in ALWAYS))

    def action_usual(self) -> None:
        self.dismiss(())
