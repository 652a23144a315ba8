"""The names of the columns of the list of runs, by which a user chooses them."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import shown

NAMES = (
    *("status", "run", "arch", "data", "seed", "params", "epochs", "best", "final"),
    *("reached", "lr", "batch", "schedule", "age", "time", "tags", "id"),
)
ALSO = {"name": "run", "network": "arch", "dataset": "data", "parameters": "params"}
"""Other names of columns."""
ALWAYS = ("status", "run", "best")
USUAL = ("status", "run", "arch", "data", "seed", "params", "epochs", "best", "final", "lr", "time", "tags", "id")


def check_columns(names: Iterable[str]) -> None:
    """Raise `ValueError` that lists the unknown names and the known ones."""
    if unknown := [name for name in names if name not in NAMES and name not in ALSO]:
        raise ValueError(f"unknown: {shown(', '.join(unknown), 40)}; the columns are {', '.join(NAMES)}")


def chosen_columns(names: Iterable[str]) -> tuple[str, ...]:
    """The columns of these names in their order, without unknown ones, and with those that are always there; the usual
    ones for none."""
    wanted = [known for name in names if (known := ALSO.get(name, name)) in NAMES]
    if not wanted:
        return USUAL
    return tuple(dict.fromkeys([*(name for name in ALWAYS if name not in wanted), *wanted]))
