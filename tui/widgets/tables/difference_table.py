"""The config fields in which runs differ, a column for each run."""

from __future__ import annotations

from collections.abc import Sequence

from tui.live.comparing import Entrant, config_differences
from tui.widgets.charts.overlay import MARKERS
from tui.widgets.tables.table import Column, Table


class DifferenceTable(Table):
    """Its columns are those of the entrants, so it is filled when they are known."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__((), id=id)

    def show_entrants(self, entrants: Sequence[Entrant], *, ascii_only: bool) -> None:
        markers = MARKERS[ascii_only]
        heads = [f"{markers[number % len(markers)]} {entrant.label}" for number, entrant in enumerate(entrants)]
        self._columns = (Column("Field", 16), *(Column(head, 0, least=6) for head in heads))
        rows = [(field, *values) for field, values in config_differences(entrants)]
        nothing = ("nothing differs", *("" for _ in entrants))
        self.show(len(rows) or 1, lambda row: rows[row] if rows else nothing)
