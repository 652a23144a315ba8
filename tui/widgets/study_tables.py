"""Studies as rows, and the trials of one as rows, a column for each dimension of its space."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from experiments.plan import Plan
from experiments.study_list import StudyEntry
from experiments.study_view import StudyView, TrialView
from tui.output import percent
from tui.study_words import age, state_of
from tui.sweep_report import short
from tui.widgets.table import Cell, Column, Table

STUDY_COLUMNS = (
    Column("Status", 8),
    Column("Study", 0, least=14),
    Column("Trials", 9, right=True),
    Column("Best", 7, right=True),
    Column("Objective", 9, rank=1),
    Column("Searched", 24, rank=4),
    Column("Sampler", 7, rank=2),
    Column("Pruner", 12, rank=3),
    Column("Changed", 8, right=True),
)
_STANDINGS = {"running": "good", "starting": "good", "stopped": "warn", "failed": "bad"}
_STATES = {
    "running": "good",
    "stopped": "warn",
    "pruned": "warn",
    "failed": "bad",
    "waiting": "muted",
    "rejected": "muted",
}
OBJECTIVES = {"val": "held-out", "test": "TEST"}


class StudyTable(Table):
    """A table whose footer says what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Open", key_display="enter")]

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(STUDY_COLUMNS, id=id)

    def show_entries(self, entries: Sequence[StudyEntry]) -> None:
        self.show(len(entries), lambda index: _entry_cells(entries[index]))


class TrialTable(Table):
    """Its columns are those of a study's space, so it is filled when that is known."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Open run", key_display="enter")]

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__((), id=id)

    def show_trials(self, view: StudyView, trials: Sequence[TrialView], *, is_driven: bool) -> None:
        if not self._columns:
            self._columns = _trial_columns(view.plan)
            self.refresh()
        best = view.best.number if view.best is not None else -1

        def _cells_of(trial: TrialView) -> tuple[Cell, ...]:
            return _trial_cells(view.plan, trial, state_of(trial, is_driven=is_driven), is_best=trial.number == best)

        self.show(len(trials), lambda index: _cells_of(trials[index]))


def _entry_cells(entry: StudyEntry) -> tuple[Cell, ...]:
    style, view = _STANDINGS.get(entry.standing, ""), entry.view
    standing: Cell = (entry.standing, style) if style else entry.standing
    changed = age(time.time() - entry.touched)
    if view is None:
        return (standing, entry.name, "-", "-", "-", "", "-", "-", changed)
    objective: Cell = OBJECTIVES[view.plan.objective]
    return (
        standing,
        entry.name,
        f"{view.done}/{view.planned}",
        percent(view.best.value) if view.best is not None else "-",
        objective if view.plan.objective == "val" else (OBJECTIVES["test"], "warn"),
        " ".join(dimension.field for dimension in view.plan.space.dimensions),
        view.plan.sampler,
        view.plan.pruner,
        changed,
    )


def _trial_columns(plan: Plan) -> tuple[Column, ...]:
    dimensions = []
    for rank, dimension in enumerate(plan.space.dimensions, start=1):
        widest = max(len(short(end)) for end in dimension.ends())
        is_text = dimension.field == "arch"
        width = max(len(dimension.field), min(widest, 22) if is_text else 8)
        dimensions.append(Column(dimension.field, width, right=not is_text, rank=rank))
    return (
        Column("", 1),
        Column("Trial", 5, right=True),
        Column("State", 8),
        Column("TEST" if plan.objective == "test" else "Value", 7, right=True),
        Column("Last", 7, right=True),
        Column("Epoch", 7, right=True),
        *dimensions,
        Column("Run", 0, least=20, rank=len(dimensions) + 1),
    )


def _trial_cells(plan: Plan, trial: TrialView, state: str, *, is_best: bool) -> tuple[Cell, ...]:
    style = _STATES.get(state, "")
    epoch = max(trial.values, default=0)
    last = trial.values[epoch] if epoch else None
    epochs = trial.params.get("epochs", plan.base.epochs)
    return (
        ("★", "good") if is_best else "",
        str(trial.number),
        (state, style) if style else state,
        percent(trial.value),
        percent(last),
        f"{epoch}/{epochs}" if trial.state not in ("waiting", "rejected") else "-",
        *(short(trial.params[d.field]) if d.field in trial.params else "-" for d in plan.space.dimensions),
        trial.run_id or "-",
    )
