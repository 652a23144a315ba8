"""One sweep, live: its trials, the best so far, the trial under the cursor by epoch, and which parameters matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content

from experiments.studies.list import StudyEntry
from experiments.studies.view import IMPORTANCE_TRIALS, TrialView, add_trial, prune_trial
from tui.screens.dialogs import Ask
from tui.screens.study_base import StudyWorkScreen
from tui.screens.study_views.parameters import Parameters
from tui.screens.sweep_dialogs import AddTrial
from tui.text.copying import Copy
from tui.text.keys import with_keys
from tui.text.study_report import counts, rejected_in_words
from tui.text.study_words import TRIAL_SORTS, arranged_trials, best_in_words, entry_in_words, trial_in_words
from tui.widgets.charts.study_charts import PANELS, StudyCharts
from tui.widgets.keys import bind
from tui.widgets.lines.line import Line
from tui.widgets.lines.paragraph import Paragraph
from tui.widgets.tables.study_tables import TrialTable
from tui.widgets.tables.table import Table


class StudyScreen(StudyWorkScreen):
    """Opened above Sweeps with the name of a study."""

    MODE = "study"
    AUTO_FOCUS = "#trials"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("open", "open", "Open run", tooltip="Show the trial's run in Training; {sweeps} leads back to this trial"),
        bind("give_up", "prune", "Prune", tooltip="Give up the trial, after a question"),
        bind("stop", "stop", "Stop sweep", tooltip="Stop it; its trials save a checkpoint and can be continued"),
        bind("continue", "resume", "Continue", tooltip="Go on with the sweep, in a process of its own"),
        bind("add", "add", "Add trial", tooltip="Add a trial by hand; on a failed one, the same once more"),
        bind("fork", "fork", "Fork", tooltip="Take the trial's config to the Lab, to change and start again"),
        bind("next_view", "turn(1)", "Next chart", tooltip=", ".join(PANELS.values())),
        bind("previous_view", "turn(-1)"),
        bind("best", "best", "Best", tooltip="To the best trial"),
        bind("order", "sort", "Sort", tooltip="Next order: newest first, best first"),
        bind("values", "parameters", "Parameters", tooltip="Each parameter against value, and all at once"),
        bind("race", "race", "Race", tooltip="The race between the best trials: its rounds, who is out, and why"),
        bind("copy", "copy", "Copy", tooltip="Copy the trial's id, its spec, or the command that trains the same"),
        bind("back", "back", "Back"),
    ]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._study = name
        self._trials: list[TrialView] = []
        self._chosen = -1
        self._sort = next(iter(TRIAL_SORTS))

    def compose_body(self) -> ComposeResult:
        with Vertical(id="study", classes="body"):
            yield Line(id="study-title")
            yield Paragraph(id="study-facts", min_height=1)
            yield Paragraph(id="study-space", min_height=1)
            yield StudyCharts(ascii_only=self.lab.ascii_only, id="study-charts")
            yield TrialTable(id="trials")
            yield Paragraph(id="trial-words", min_height=2)  # what most trials take, so that the table rarely moves

    @property
    def entry(self) -> StudyEntry | None:
        return self.watch_studies.entry(self._study)

    @property
    def _table(self) -> TrialTable:
        return self.query_one("#trials", TrialTable)

    @property
    def _current(self) -> TrialView | None:
        row = self._table.cursor_row
        return self._trials[row] if 0 <= row < len(self._trials) else None

    def repaint(self) -> None:
        entry = self.entry
        if not self.ready or not self.watch_studies.loaded:
            return
        view = entry.view if entry is not None else None
        self.query_one(StudyCharts).display = view is not None
        if entry is None or view is None:
            self._show_none(entry)
            return
        # Of what the sampler proposed over the budget a line says how many there were.
        listed = [trial for trial in view.trials if trial.state != "rejected" or trial.added]
        self._trials = arranged_trials(listed, self._sort)
        row = next((i for i, trial in enumerate(self._trials) if trial.number == self._chosen), 0)
        self._table.show_trials(view, self._trials)
        self._table.move_to(row)
        title = Content.assemble(("Sweep  ", "$text-muted"), (entry.name, "bold"), f"  {entry.standing}")
        self.query_one("#study-title", Line).show(title + Content(f"  {best_in_words(view)}"))
        self.query_one("#study-facts", Paragraph).show(counts(view) + rejected_in_words(view))
        self.query_one("#study-space", Paragraph).show(entry_in_words(entry))
        self._refresh_current()

    def _show_none(self, entry: StudyEntry | None) -> None:
        """Show the rest of a study whose folder is gone, or cannot be read any more."""
        self._trials = []
        self._table.show_none()
        standing = entry.standing if entry is not None else "gone"
        title = Content.assemble(("Sweep  ", "$text-muted"), (self._study, "bold"), f"  {standing}")
        self.query_one("#study-title", Line).show(title)
        self.query_one("#study-facts", Paragraph).show(
            entry_in_words(entry) if entry is not None else "its folder is gone"
        )
        self.query_one("#study-space", Paragraph).show("")
        self._refresh_current()

    @on(Table.Moved, "#trials")
    def _moved(self) -> None:
        self._chosen = self._current.number if self._current is not None else -1
        self._refresh_current(now=True)

    def look(self) -> None:
        super().look()
        if self.is_on_top:
            self.query_one(StudyCharts).draw_when_due()

    def _refresh_current(self, *, now: bool = False) -> None:
        """Show all that depends on the current trial: its line, its chart and the keys."""
        trial, entry = self._current, self.entry
        view = entry.view if entry is not None else None
        none = "no trial yet" if view is not None else ""
        words = trial_in_words(view, trial) if trial is not None and view is not None else none
        self.query_one("#trial-words", Paragraph).show(words)
        if view is not None:
            self.query_one(StudyCharts).show(view, trial, now=now)
        standing = entry.standing if entry is not None else ""
        self.refresh_keys(standing, view is not None, trial and (trial.state, trial.run_id), self.has_class("-narrow"))

    @on(Table.Chosen, "#trials")
    def action_open(self) -> None:
        if self._current is not None:
            self.open_run(self._current.run_id)

    def copies(self) -> Sequence[Copy]:
        return self.copies_of_trial(self._current.run_id if self._current is not None else None)

    def action_fork(self) -> None:
        if self._current is not None:
            self.fork_run(self._current.run_id)

    def action_best(self) -> None:
        best = self.entry.view.best if self.entry is not None and self.entry.view is not None else None
        if best is not None:
            self._chosen = best.number
            self.repaint()
            self._refresh_current(now=True)

    def action_sort(self) -> None:
        orders = list(TRIAL_SORTS)
        self._sort = orders[(orders.index(self._sort) + 1) % len(orders)]
        self.repaint()

    def action_turn(self, by: int) -> None:
        self.query_one(StudyCharts).turn(by)

    def action_parameters(self) -> None:
        if self.entry is not None and self.entry.view is not None:
            self.app.push_screen(Parameters(self.entry.view, ascii_only=self.lab.ascii_only))

    async def action_prune(self) -> None:
        trial, entry = self._current, self.entry
        if trial is None or entry is None or entry.view is None:
            return
        what = trial_in_words(entry.view, trial)
        text = f"{what}.\n\nIt is given up after a checkpoint, and counts as one of the trials."
        await self.app.push_screen(
            Ask(f"Prune trial {trial.number}?", text, (("keep", "Let it run"), ("prune", "Prune it")), danger="prune"),
            lambda answer: self._prune(trial.number) if answer == "prune" else None,
        )

    def _prune(self, number: int) -> None:
        home, name = self.lab.locations.home, self._study
        words = f"trial {number} was asked to stop"
        self.act("Not pruned", lambda: prune_trial(home, name, number), words)

    async def action_add(self) -> None:
        entry, trial = self.entry, self._current
        if entry is not None and entry.view is not None:
            params = trial.params if trial is not None and trial.state == "failed" else {}
            await self.app.push_screen(AddTrial(entry.name, entry.view.plan, params), self._add)

    def _add(self, values: dict[str, str] | None) -> None:
        entry = self.entry
        if values is None or entry is None:
            return
        home, driven = self.lab.locations.home, entry.is_driven
        when = (
            "comes as soon as there is room" if driven else with_keys("comes when the sweep is continued ({continue})")
        )
        self.act("Not added", lambda: add_trial(home, entry.name, values), f"the trial {when}")

    def action_back(self) -> None:
        self.app.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        trial = self._current if self.ready else None
        match action:
            case "open" | "fork" | "copy":
                return trial is not None and trial.run_id is not None
            case "prune":
                is_driven = self.entry is not None and self.entry.is_driven
                return is_driven and trial is not None and trial.state == "running" and trial.run_id is not None
            case "best":
                return self.entry is not None and self.entry.view is not None and self.entry.view.best is not None
            case "sort":
                return bool(self._trials)
            case "parameters":
                return self.entry is not None and self.entry.view is not None
            case "add":
                return self.entry is not None and self.entry.view is not None and bool(self.entry.view.trials)
            case "turn":
                return self.has_class("-narrow") and self.entry is not None and self.entry.view is not None
            case _:
                return super().check_action(action, parameters)

    def help_lines(self) -> tuple[str, ...]:
        return (
            "Running trials come first. The chart by epoch shows the current trial and the median of all others.",
            "Importance tells what sets the best tenth of the trials apart.",
            f"It needs {IMPORTANCE_TRIALS} finished trials: one pruned, or with the params of another, does not count.",
            "From the run that {open} opens, {sweeps} leads back to its trial.",
            "A trial that is added comes beside those planned; on a failed one its values are there to begin with.",
        )
