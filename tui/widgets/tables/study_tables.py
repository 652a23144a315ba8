"""Studies as rows, and the trials of one as rows, a column for each dimension of its space."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import BindingType

from experiments.studies.list import StudyEntry
from experiments.studies.plan import SweepPlan
from experiments.studies.view import StudyView, TrialView
from tui.text.output import percent
from tui.text.study_report import score_in_words, short
from tui.text.study_words import VALUES, age
from tui.widgets.keys import bind
from tui.widgets.tables.table import Cell, Column, Table

STUDY_COLUMNS = (
    Column("Status", 8),
    Column("Sweep", 0, min_width=14),
    Column("Trials", 11, right=True),
    Column("Best", 7, right=True),
    Column("Objective", 0, min_width=9, rank=1),
    Column("Searched", 0, min_width=20, rank=4),
    Column("Sampler", 7, rank=2),
    Column("Pruner", 12, rank=3),
    Column("Changed", 8, right=True),
)
FITTED = (1, 4)
"""The columns of names and objectives, which take no more room than their texts need."""
WIDTHS = {"params": 7, "macs": 10, "seconds": 8}
"""Of the columns of objectives beside the accuracy."""
_STANDINGS = {"running": "good", "starting": "good", "stopped": "warn", "damaged": "bad", "failed": "bad"}
_STATES = {
    "running": "good",
    "stopped": "warn",
    "pruned": "warn",
    "failed": "bad",
    "waiting": "muted",
    "rejected": "muted",
}


class StudyTable(Table):
    """A table whose footer says what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [bind("open", "choose", "Open")]

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(STUDY_COLUMNS, id=id)

        self._entries: Sequence[StudyEntry] = ()

    def show_entries(self, entries: Sequence[StudyEntry]) -> None:
        self._entries = entries
        cells = [_entry_cells(entry) for entry in entries]
        columns = list(STUDY_COLUMNS)
        for at in FITTED:
            columns[at] = replace(columns[at], max_width=max((cell_len(_text(row[at])) for row in cells), default=0))
        self.set_columns(columns)
        self.show(len(entries), lambda index: _entry_cells(entries[index]))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action != "choose":
            return super().check_action(action, parameters)
        entry = next(iter(self._entries[self.cursor_row :]), None)
        return entry is not None and entry.view is not None


class TrialTable(Table):
    """Its columns are those of a study's space, so it is filled when that is known."""

    SAYS_MORE = True
    BINDINGS: ClassVar[list[BindingType]] = [bind("open", "choose", "Open run")]

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__((), id=id)
        self._trials: Sequence[TrialView] = ()

    def show_none(self) -> None:
        self._trials = ()
        self.show(0, lambda _: ())

    def show_trials(self, view: StudyView, trials: Sequence[TrialView]) -> None:
        self._trials = trials
        self.set_columns(_trial_columns(view))
        best = view.front or ((view.best.number,) if view.best is not None else ())

        def _cells_of(trial: TrialView) -> tuple[Cell, ...]:
            return _trial_cells(view.plan, trial, view.state_of(trial), is_best=trial.number in best)

        self.show(len(trials), lambda index: _cells_of(trials[index]))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action != "choose":
            return super().check_action(action, parameters)
        trial = next(iter(self._trials[self.cursor_row :]), None)
        return trial is not None and trial.run_id is not None


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _entry_cells(entry: StudyEntry) -> tuple[Cell, ...]:
    style, view = _STANDINGS.get(entry.standing, ""), entry.view
    standing: Cell = (entry.standing, style) if style else entry.standing
    changed = age(time.time() - entry.touched)
    if view is None:
        return (standing, entry.name, "-", "-", "-", "", "-", "-", changed)
    objective = " ".join([VALUES[view.plan.scored_on], *view.plan.objectives[1:]])
    return (
        standing,
        entry.name,
        f"{view.done:,}/{view.planned:,}",
        percent(view.best.value) if view.best is not None else "-",
        objective if view.plan.scored_on == "val" else (objective, "warn"),
        " ".join(view.plan.space.to_json()),
        view.plan.sampler,
        view.plan.pruner,
        changed,
    )


def _trial_columns(view: StudyView) -> tuple[Column, ...]:
    plan, dimensions = view.plan, []
    last = "Last" if view.values_are == plan.scored_on else VALUES[view.values_are].capitalize()
    for rank, dimension in enumerate(plan.space.dimensions, start=1):
        widest = max(len(short(end)) for end in dimension.ends())
        is_text = dimension.field == "arch"
        width = max(len(dimension.field), min(widest, 22) if is_text else 8)
        dimensions.append(Column(dimension.field, width, right=not is_text, rank=rank))
    return (
        Column("", 1),
        Column("Trial", 5, right=True),
        Column("State", 8),
        Column("TEST" if plan.scored_on == "test" else "Value", 7, right=True),
        *(Column(objective, WIDTHS[objective], right=True) for objective in plan.objectives[1:]),
        Column(last, max(len(last), 7), right=True),
        Column("Epoch", 7, right=True),
        *dimensions,
        # The words below the table have the run too.
        Column("Run", 0, min_width=20, rank=len(dimensions) + 1, spare=True),
    )


def _trial_cells(plan: SweepPlan, trial: TrialView, state: str, *, is_best: bool) -> tuple[Cell, ...]:
    style = _STATES.get(state, "")
    epoch = max(trial.values, default=0)
    last = trial.values[epoch] if epoch else None
    epochs = trial.params.get("epochs", plan.base.epochs)
    return (
        ("★", "good") if is_best else "",
        str(trial.number),
        (state, style) if style else state,
        percent(trial.value),
        *(score_in_words(name, score) for name, score in zip(plan.objectives[1:], trial.scores[1:], strict=False)),
        *("-" for _ in plan.objectives[max(len(trial.scores), 1) :]),
        percent(last),
        f"{epoch}/{epochs}" if trial.state not in ("waiting", "rejected") else "-",
        *(short(trial.params[d.field]) if d.field in trial.params else "-" for d in plan.space.dimensions),
        trial.group_id or trial.run_id or "-",
    )
