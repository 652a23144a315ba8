"""The race between the best trials of a sweep, above its screen: round by round, and how each of them stands."""

from __future__ import annotations

from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.live.lab import Lab
from tui.live.studies import LOOK
from tui.text.keys import with_keys
from tui.text.race_words import race_rows, rounds_in_words, wrong_in_words
from tui.widgets.keys import bind
from tui.widgets.tables.table import Column, Table

COLUMNS = (
    Column("Trial", 5, right=True),
    Column("Mean", 7, right=True),
    Column("95% interval", 16),
    Column("Seeds", 5, right=True),
    Column("Out", 9),
    Column("Group", 0, min_width=24, rank=1),
)


class RaceRounds(ModalScreen[None]):
    """Is painted again as the race goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("back", "dismiss(None)", "Close"),
        bind("race", "dismiss(None)"),
    ]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._study = name
        self._shown_change = -1

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog race") as box:
            box.border_title = Content(f"Race of {self._study}")
            box.border_subtitle = with_keys("{back} closes")
            yield Static(id="race-rounds", markup=False)
            yield Table(COLUMNS, id="racers")

    def on_mount(self) -> None:
        self.set_interval(LOOK / 4, self._look)
        self._repaint()

    def _look(self) -> None:
        watch = cast(Lab, self.app).studies
        watch.look()
        if watch.changes != self._shown_change:
            self._repaint()

    def _repaint(self) -> None:
        watch = cast(Lab, self.app).studies
        self._shown_change, entry = watch.changes, watch.entry(self._study)
        view = entry.view if entry is not None else None
        lines = [*rounds_in_words(view.race), wrong_in_words(view.race)] if view is not None else []
        words = "\n".join(filter(None, lines))
        self.query_one("#race-rounds", Static).update(words or "the race has not begun")
        _, rows = race_rows(view.race, view.plan.scored_on) if view is not None else ((), [])
        self.query_one(Table).show(len(rows), lambda index: tuple(rows[index]))
