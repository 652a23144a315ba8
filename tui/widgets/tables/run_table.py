"""Runs as rows: how each stands, what it is, what it came to, and which of those to be compared it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import BindingType

from experiments.results.filters.fields import age_of
from experiments.runs.row import RunRow, standing
from experiments.statistics.digits import in_digits
from tui.live.runs.listing import ListEntry
from tui.live.runs.marks import Marks
from tui.text.columns import USUAL
from tui.text.output import duration, percent
from tui.text.study_words import age
from tui.text.wording import arch_in_short
from tui.widgets.keys import bind
from tui.widgets.tables.table import Cell, Column, Table


@dataclass(frozen=True, slots=True)
class RunColumn:
    """A column that may be chosen, and its cell of an entry."""

    column: Column
    cell: Callable[[ListEntry], Cell]
    help: str


_STYLES = {"running": "good", "waiting": "muted", "stopped": "warn", "failed": "bad", "crashed": "bad"}
LOOKED_AT = 500
"""Entries whose names say how wide the column of names is to be."""
EXTRA_RANK = 1
"""The rank of columns that somebody has chosen beside the usual ones: they stay where those give way."""


def _status(entry: ListEntry) -> Cell:
    if entry.fold is not None:
        live = entry.fold.live
        return (f"{live} live", "good") if live else f"{len(entry.fold.items)} runs"
    word = standing(entry.row, entry.status)
    return (word, _STYLES[word]) if word in _STYLES else word


def _name(entry: ListEntry) -> Cell:
    name = entry.row.name or entry.row.run_id
    if entry.fold is not None:
        return f"{'▾' if entry.is_open else '▸'} {name}"
    return f"  {name}" if entry.is_inside else name


def _arch(entry: ListEntry) -> Cell:
    arch = arch_in_short(entry.row.arch)
    return f"{entry.fold.short_words}: {arch}" if entry.fold is not None else arch


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _age(row: RunRow) -> str:
    seconds = age_of(row)
    return "-" if seconds is None else age(seconds)


COLUMNS: Mapping[str, RunColumn] = {
    "status": RunColumn(Column("Status", 8, sort="status"), _status, "what it is doing"),
    "run": RunColumn(Column("Run", 0, min_width=20, sort="name"), _name, "name, or id"),
    "arch": RunColumn(Column("Architecture", 0, min_width=12, rank=1, sort="arch"), _arch, "network"),
    "data": RunColumn(Column("Data", 9, rank=5, sort="dataset"), lambda entry: entry.row.data, "data set"),
    "seed": RunColumn(Column("Seed", 5, right=True, rank=9, sort="seed"), lambda e: _count(e.row.seed), "seed"),
    "params": RunColumn(
        Column("Params", 7, right=True, rank=7, sort="params"), lambda e: _count(e.row.total_params), "parameters"
    ),
    "epochs": RunColumn(
        Column("Epochs", 7, right=True, rank=2, sort="epochs"),
        lambda entry: f"{entry.row.epochs_done}/{entry.row.epochs or '?'}",
        "epochs done, and asked for",
    ),
    "best": RunColumn(
        Column("Best", 7, right=True, sort="best"),
        lambda entry: percent(entry.row.best_test_accuracy),
        "best test accuracy over epochs",
    ),
    "final": RunColumn(
        Column("Final", 7, right=True, rank=3, sort="final"),
        lambda entry: percent(entry.row.final_test_accuracy),
        "test accuracy of the last epoch",
    ),
    "reached": RunColumn(
        Column("Target", 7, right=True, rank=EXTRA_RANK, sort="reached"),
        lambda entry: _count(entry.row.first_epoch_at_target),
        "first epoch at the target",
    ),
    "lr": RunColumn(
        Column("lr", 8, right=True, rank=10, sort="lr"),
        lambda entry: "-" if entry.row.lr is None else in_digits(entry.row.lr),
        "learning rate",
    ),
    "batch": RunColumn(
        Column("Batch", 6, right=True, rank=EXTRA_RANK, sort="batch"), lambda e: _count(e.row.batch_size), "batch size"
    ),
    "schedule": RunColumn(
        Column("Schedule", 9, rank=EXTRA_RANK, sort="schedule"), lambda e: e.row.schedule or "-", "schedule"
    ),
    "age": RunColumn(
        Column("Age", 7, right=True, rank=EXTRA_RANK, sort="started"), lambda e: _age(e.row), "time since it began"
    ),
    "time": RunColumn(
        Column("Time", 7, right=True, rank=8, sort="seconds"),
        lambda entry: duration(entry.row.seconds) if entry.row.seconds else "-",
        "time in training",
    ),
    "tags": RunColumn(
        Column("Tags", 12, rank=6), lambda entry: (" ".join(f"#{tag}" for tag in entry.row.tags), "accent"), "tags"
    ),
    "id": RunColumn(Column("Id", 20, rank=11), lambda e: e.row.run_id if e.row.name and not e.fold else "", "id"),
}
"""The columns by the names that a user chooses them by."""


class RunTable(Table):
    """A table whose footer says what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [bind("open", "choose", "Open")]

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__((), id=id)

    def show_entries(self, entries: Sequence[ListEntry], marks: Marks, columns: Sequence[str]) -> None:
        """Show these entries in columns of these names. Where some were chosen, they stay longest."""
        shown = [COLUMNS[name] for name in columns]
        is_chosen = tuple(columns) != USUAL
        longest = 2 + max([cell_len(entry.row.name or entry.row.run_id) for entry in entries[:LOOKED_AT]], default=0)
        self.set_columns(
            (
                Column("", 1),
                *(
                    replace(one.column, max_width=longest)
                    if one is COLUMNS["run"]
                    else replace(one.column, rank=EXTRA_RANK)
                    if is_chosen and one is COLUMNS["lr"]
                    else one.column
                    for one in shown
                ),
            )
        )
        self.show(
            len(entries),
            lambda index: (
                (str(marks.number_of(entries[index]) or ""), "accent"),
                *(one.cell(entries[index]) for one in shown),
            ),
        )
