"""A row of a list with all of its columns, those too that are cut or have no room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.text.keys import key
from tui.widgets.keys import bind


class WholeRow(ModalScreen[None]):
    """Titles of columns, each with the whole text of its cell."""

    DEFAULT_CSS = """
    WholeRow { align: center middle; background: $background 60%; }
    WholeRow .entry { height: auto; }
    WholeRow .word { width: 15; color: $text-muted; }
    WholeRow .meaning { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("back", "dismiss", "Close"),
        bind("turn", "dismiss"),
        bind("open", "dismiss"),
        bind("quit", "dismiss"),
    ]

    def __init__(self, cells: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._cells = tuple(cells)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as box:
            box.border_title = "The whole row"
            box.border_subtitle = f"{key('back')} closes"
            for title, text in self._cells:
                with Horizontal(classes="entry"):
                    yield Static(title, classes="word", markup=False)
                    yield Static(text.strip(), classes="meaning", markup=False)
