"""What waits in line for the machine: another order, and dropping what is not wanted any more."""

from __future__ import annotations

from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.live.jobs.watch import InLine
from tui.live.lab import Lab
from tui.screens.dialogs import Ask
from tui.text.keys import with_keys
from tui.widgets.keys import bind
from tui.widgets.tables.table import Cell, Column, Table

COLUMNS = (
    Column("", 2, right=True),
    Column("Status", 8),
    Column("Run", 22),
    Column("What", 0, min_width=26),
    Column("By", 16, rank=1),
)
LOOK = 0.25
"""Seconds between two looks at what has been read of the line."""
EMPTY = "Nothing is in line. A run that is started while another one is trained waits here."


class LineScreen(ModalScreen[None]):
    """The line of this home, whoever has put runs there."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("earlier", "move(-1)", "Earlier"),
        bind("later", "move(1)", "Later"),
        bind("delete", "drop", "Drop"),
        bind("back", "dismiss(None)", "Back"),
        bind("line", "dismiss(None)"),
    ]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog line") as box:
            box.border_title = "In line"
            yield Table(COLUMNS, id="line")
            yield Static(EMPTY, id="line-empty", markup=False)
            words = "{earlier} and {later} move it, {delete} drops it, {back} goes back"
            yield Static(with_keys(words), classes="keys", markup=False)

    def on_mount(self) -> None:
        self._chosen = ""
        self.set_interval(LOOK, self.repaint)
        self.repaint()

    @property
    def _lab(self) -> Lab:
        return cast(Lab, self.app)

    @property
    def _current(self) -> InLine | None:
        return next((found for found in self._lab.line.entries if found.entry.id == self._chosen), None)

    @on(Table.Moved)
    def _choose(self, moved: Table.Moved) -> None:
        entries = self._lab.line.entries
        self._chosen = entries[moved.row].entry.id if moved.row < len(entries) else ""

    def repaint(self) -> None:
        """Show the line as it was read last, with the cursor where what was chosen stands now."""
        self._lab.line.look()
        entries, table = self._lab.line.entries, self.query_one(Table)
        with self.prevent(Table.Moved):
            table.show(len(entries), lambda index: _cells(index, entries[index]))
        if (current := self._current) is not None:
            table.move_to(entries.index(current))
        elif entries:
            self._chosen = entries[table.cursor_row].entry.id
        table.display = bool(entries)
        self.query_one("#line-empty").display = not entries

    def action_move(self, by: int) -> None:
        if (current := self._current) is not None:
            self._lab.line.move(current, by, lambda why: self._say_no("Not moved", why))
            self.repaint()

    async def action_drop(self) -> None:
        if (current := self._current) is None:
            return
        if current.at_work:
            self.notify(with_keys("it is being trained; stop it in Runs ({stop})"), title="Not dropped")
            return
        answers = (("keep", "Keep it in line"), ("drop", "Drop it"))
        text = f"{current.title}: {current.what}.\n\nRuns of it that have not begun are deleted."

        def answered(answer: str | None) -> None:
            if answer == "drop":
                self._lab.line.drop(current, lambda why: self._say_no("Not dropped", why))

        await self.app.push_screen(Ask("Drop it?", text, answers, danger="drop"), answered)

    def _say_no(self, title: str, why: str) -> None:
        self.app.notify(why, title=title, severity="error", markup=False)


def _cells(index: int, found: InLine) -> tuple[Cell, ...]:
    standing: Cell = ("running", "good") if found.at_work else ("waiting", "muted")
    return (str(index + 1), standing, found.title, found.what, (found.asked_by, "muted"))
