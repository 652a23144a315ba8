"""Runs as rows: how each stands, what it is, what it came to, and which of those to be compared it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from tui.live.catalog import Item, standing
from tui.live.marks import Marks
from tui.text.output import duration, percent
from tui.text.wording import arch_in_short
from tui.widgets.keys import bind
from tui.widgets.tables.table import Cell, Column, Table

COLUMNS = (
    Column("", 1),
    Column("Status", 8),
    Column("Run", 20, rank=1),
    Column("Architecture", 0, min_width=12),
    Column("Data", 8, rank=5),
    Column("Seed", 4, right=True, rank=9),
    Column("Params", 7, right=True, rank=7),
    Column("Epochs", 7, right=True, rank=2),
    Column("Best", 7, right=True),
    Column("Final", 7, right=True, rank=3),
    Column("Time", 7, right=True, rank=8),
    Column("Tags", 12, rank=6),
    Column("Id", 20, rank=11),
)
_STYLES = {"running": "good", "waiting": "muted", "stopped": "warn", "failed": "bad", "crashed": "bad"}


class RunTable(Table):
    """A table whose footer says what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [bind("open", "choose", "Open")]

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, id=id)

    def show_items(self, items: Sequence[Item], marks: Marks) -> None:
        self.show(len(items), lambda index: _cells(items[index], marks))


def _cells(item: Item, marks: Marks) -> tuple[Cell, ...]:
    row, _ = item
    word = standing(item)
    style = _STYLES.get(word, "")
    best: Cell = percent(row.best_test_accuracy)
    return (
        (str(marks.number_of(row) or ""), "accent"),
        (word, style) if style else word,
        row.name or row.run_id,
        arch_in_short(row.arch),
        row.data,
        "-" if row.seed is None else str(row.seed),
        "-" if row.total_params is None else f"{row.total_params:,}",
        f"{row.epochs_done}/{row.epochs or '?'}",
        best,
        percent(row.final_test_accuracy),
        duration(row.seconds),
        (" ".join(f"#{tag}" for tag in row.tags), "accent"),
        row.run_id if row.name else "",
    )
