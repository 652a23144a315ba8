"""The tables of a comparison: a line for each entrant, with its curve's marker, and the config fields that differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from experiments.reports.looks import COLOURS, colours
from tui.live.comparing import Entrant, config_differences
from tui.text.output import duration, percent
from tui.widgets.charts.overlay import MARKERS
from tui.widgets.tables.table import Cell, Column, Table

COLUMNS = (
    Column("", 1),
    Column("Run", 0, min_width=18),
    Column("Data", 8, rank=5),
    Column("Params", 7, right=True, rank=3),
    Column("Epochs", 7, right=True, rank=2),
    Column("Best", 7, right=True),
    Column("Final", 7, right=True, rank=1),
    Column("Time", 7, right=True, rank=4),
)


class EntrantTable(Table):
    """A line for each entrant."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"table--curve{number}" for number in range(len(COLOURS))}
    DEFAULT_CSS = "\n".join(
        f"EntrantTable > .table--curve{number} {{ color: {colour}; }}" for number, colour in enumerate(colours())
    )

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, id=id)

    def show_entrants(self, entrants: Sequence[Entrant], *, ascii_only: bool) -> None:
        self.show(len(entrants), lambda row: entrant_cells(entrants[row], row, MARKERS[ascii_only]))


def entrant_cells(entrant: Entrant, number: int, markers: str) -> tuple[Cell, ...]:
    """The cells of a run, or of a group, with the means of the runs that count."""
    views = [follower.view for follower in entrant.counted]
    started = views[0].started
    done = min(view.epochs_done for view in views)
    standing = " (deleted)" if entrant.deleted else ""
    return (
        (markers[number % len(markers)], f"curve{number % len(COLOURS)}"),
        entrant.title + standing,
        started.dataset if started else "-",
        f"{started.total_params:,}" if started else "-",
        f"{done}/{views[0].config.get('epochs', '?')}",
        percent(_mean([view.best_test_accuracy for view in views])),
        percent(_mean([view.final_test_accuracy for view in views])),
        duration(sum(view.seconds for view in views) / len(views)),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


class DifferenceTable(Table):
    """The config fields in which runs differ, a column for each run: it has columns once the entrants are known."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__((), id=id)

    def show_entrants(self, entrants: Sequence[Entrant], *, ascii_only: bool) -> None:
        markers = MARKERS[ascii_only]
        heads = [f"{markers[number % len(markers)]} {entrant.label}" for number, entrant in enumerate(entrants)]
        self._columns = (Column("Field", 16), *(Column(head, 0, min_width=6) for head in heads))
        rows = [(field, *values) for field, values in config_differences(entrants)]
        nothing = ("nothing differs", *("" for _ in entrants))
        self.show(len(rows) or 1, lambda row: rows[row] if rows else nothing)
