"""Sweeps: the searches of this home, those that are under way and those that can be continued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from core.errors import LabError
from experiments.studies.list import StudyEntry
from tui.live.forms.sweep_form import SweepRequest, lab_config
from tui.live.task import in_a_sentence
from tui.screens.opening import open_study
from tui.screens.study_base import StudyWorkScreen
from tui.screens.sweep_dialogs import NewSweep
from tui.text.copying import Copy
from tui.text.keys import with_keys
from tui.text.output import counted
from tui.text.study_words import entry_in_words
from tui.widgets.keys import bind
from tui.widgets.lines.line import Line
from tui.widgets.lines.paragraph import Paragraph
from tui.widgets.tables.study_tables import StudyTable
from tui.widgets.tables.table import Table

EMPTY = """There are no sweeps yet: a sweep trains many configs and keeps the best.

Begin one with {add}, or from a shell with: mnist-tui sweep --lr 0.01:0.1:log"""


class SweepsScreen(StudyWorkScreen):
    MODE = "sweeps"
    AUTO_FOCUS = "#studies"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("open", "open", "Open", tooltip="Its trials, the best so far, and which parameters matter"),
        bind("add", "new", "New sweep", tooltip="Search around the Lab's config, in a process of its own"),
        bind("fork", "fork", "Fork best", tooltip="Take the best trial's config to the Lab"),
        bind("continue", "resume", "Continue", tooltip="Go on with it, in a process of its own"),
        bind("copy", "copy", "Copy", tooltip="Copy the sweep's name, or the command that trains its best trial"),
        bind("stop", "stop", "Stop", tooltip="Stop it; its trials save a checkpoint and can be continued"),
        bind("race", "race", "Race", tooltip="The race between the best trials: its rounds, who is out, and why"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._chosen = ""

    def compose_body(self) -> ComposeResult:
        yield Static(with_keys(EMPTY), id="no-sweeps", markup=False)
        with Vertical(id="sweeps", classes="body"):
            yield Line(id="sweeps-count")
            yield StudyTable(id="studies")
            yield Paragraph(id="sweep-words", min_height=1)

    @property
    def _table(self) -> StudyTable:
        return self.query_one("#studies", StudyTable)

    @property
    def entry(self) -> StudyEntry | None:
        entries = self.watch_studies.entries
        row = self._table.cursor_row
        return entries[row] if 0 <= row < len(entries) else None

    def repaint(self) -> None:
        watch = self.watch_studies
        entries = watch.entries
        self.set_class(watch.loaded and not entries and not watch.trouble, "-empty")
        row = next((i for i, entry in enumerate(entries) if entry.name == self._chosen), 0)
        self._table.show_entries(entries)
        self._table.move_to(row)
        driven = sum(entry.is_driven for entry in entries)
        words = f"{counted(len(entries), 'sweep')}, {driven:,} running"
        self.query_one("#sweeps-count", Line).show(
            watch.trouble or (words if watch.loaded else "reading the sweeps...")
        )
        self._refresh_current()

    def look(self) -> None:
        super().look()
        if self.is_on_top:
            self._table.show_entries(self.watch_studies.entries)  # their age grows

    @on(Table.Moved, "#studies")
    def _moved(self) -> None:
        self._chosen = self.entry.name if self.entry is not None else ""
        self._refresh_current()

    def _refresh_current(self) -> None:
        entry = self.entry
        self.query_one("#sweep-words", Paragraph).show(entry_in_words(entry) if entry is not None else "")
        self.refresh_keys(entry and (entry.standing, entry.view is not None, self._best_run(entry)))

    def _best_run(self, entry: StudyEntry) -> str | None:
        return entry.view.best.run_id if entry.view is not None and entry.view.best is not None else None

    @on(Table.Chosen, "#studies")
    async def action_open(self) -> None:
        if self.entry is not None and self.entry.view is not None:
            await open_study(self.app, self.entry.name)

    def copies(self) -> Sequence[Copy]:
        if self.entry is None:
            return ()
        return [("sweep", self.entry.name), *self.copies_of_trial(self._best_run(self.entry))]

    def action_fork(self) -> None:
        if self.entry is not None:
            self.fork_run(self._best_run(self.entry))

    async def action_new(self) -> None:
        try:
            base = lab_config(self.lab.state.form)
        except LabError as error:
            self.notify(in_a_sentence(error), title="No sweep from here", severity="error", markup=False)
            return
        taken = {entry.name for entry in self.watch_studies.entries}
        name = next(name for n in range(1, len(taken) + 2) if (name := f"sweep-{n}") not in taken)
        await self.app.push_screen(NewSweep(self.lab.locations, base, name), self._begin)

    def _begin(self, wanted: SweepRequest | None) -> None:
        if wanted is not None:
            self._chosen = wanted.name
            self.drive(wanted.name, *wanted.options)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        entry = self.entry if self.ready else None
        match action:
            case "copy":
                return entry is not None
            case "open":
                return entry is not None and entry.view is not None
            case "fork":
                return entry is not None and self._best_run(entry) is not None
            case _:
                return super().check_action(action, parameters)

    def help_lines(self) -> tuple[str, ...]:
        return (
            "A sweep proposes configs, trains each as an ordinary run, and keeps what came of it under its name.",
            "A process of its own drives it: leaving the interface does not end it, and {stop} stops it from anywhere.",
            "Best is the accuracy after the last epoch, on held-out images unless the objective says TEST.",
        )
