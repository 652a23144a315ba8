"""Choosing the columns of the list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import SelectionList, Static
from textual.widgets.selection_list import Selection

from tui.text.columns import ALWAYS
from tui.text.keys import with_keys
from tui.widgets.keys import bind
from tui.widgets.tables.run_table import COLUMNS


class ChooseColumns(ModalScreen[tuple[str, ...] | None]):
    """Dismissed with the names of the columns, or with None for escape."""

    DEFAULT_CSS = """
    ChooseColumns { align: center middle; background: $background 60%; }
    ChooseColumns SelectionList { height: auto; max-height: 16; border: none; padding: 0; background: transparent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("open", "done", "Done", priority=True),
        bind("undo", "usual", "The usual ones"),
        bind("back", "dismiss(None)", "Cancel"),
    ]

    def __init__(self, chosen: Sequence[str]) -> None:
        super().__init__()
        self._chosen = tuple(chosen)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = Content("Columns")
            yield SelectionList[str](
                *(
                    Selection(Content(f"{one.column.title or name:13} {one.help}"), name, name in self._chosen)
                    for name, one in COLUMNS.items()
                    if name not in ALWAYS
                ),
                id="columns",
            )
            words = "{mark} turns one on or off, {open} is done, {undo} takes the usual ones, {back} leaves"
            yield Static(with_keys(words), classes="keys", markup=False)

    def action_done(self) -> None:
        wanted = self.query_one("#columns", SelectionList).selected
        self.dismiss(tuple(name for name in COLUMNS if name in wanted or name in ALWAYS))

    def action_usual(self) -> None:
        self.dismiss(())
