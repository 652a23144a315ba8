"""The orders in which runs are listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.results.filters.fields import Listed
from experiments.runs.row import RunRow, standing
from experiments.runs.seeds import name_of_group


@dataclass(frozen=True, slots=True)
class RunOrder:
    """`of` is None or empty where a run has no such value; `descending` is how it is read first."""

    words: str
    of: Callable[[RunRow], Any]
    descending: bool = False


def stem_of(row: RunRow) -> str:
    """A run's name, without the seed that the runs of a group have at its end."""
    return name_of_group(row.name, row.seed) if row.group_id else row.name


def _descending(text: str) -> tuple[int, ...]:
    """Sorts as the text does, the other way round."""
    return tuple(-ord(character) for character in text)


def _begun(row: RunRow) -> str:
    """The second in which a run began, or in which its folder was made."""
    if row.started:
        return row.started[:19]
    day, time = row.run_id[:8], row.run_id[9:15]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}"


ORDERS: Mapping[str, RunOrder] = {
    # Of those begun within a second, as the runs of a group may be, the ids are in no order.
    "started": RunOrder("newest", lambda row: (_begun(row), row.group_id or "", row.seed or 0, row.run_id), True),
    "best": RunOrder("best accuracy", lambda row: row.best_or_final, True),
    "final": RunOrder("final accuracy", lambda row: row.final_test_accuracy, True),
    "reached": RunOrder("target epoch", lambda row: row.first_epoch_at_target),
    "name": RunOrder("name", lambda row: row.name and (stem_of(row), row.group_id or "", row.seed or 0)),
    "group": RunOrder("group", lambda row: row.group_id and (_descending(row.group_id), row.seed or 0)),
    "arch": RunOrder("architecture", lambda row: row.arch),
    "dataset": RunOrder("data set", lambda row: row.dataset),
    "params": RunOrder("parameters", lambda row: row.total_params),
    "lr": RunOrder("learning rate", lambda row: row.lr),
    "batch": RunOrder("batch size", lambda row: row.batch_size),
    "schedule": RunOrder("schedule", lambda row: row.schedule),
    "seed": RunOrder("seed", lambda row: row.seed),
    "epochs": RunOrder("epochs", lambda row: row.epochs_done),
    "seconds": RunOrder("duration", lambda row: row.seconds or None),
}
"""By the names that `ordered` takes, in the order in which the interface goes through them."""
STATUS = "status"
"""The one order beside these, of which a row alone does not know."""


def value_of(item: Listed, key: str) -> Any:
    """What a run is ordered by, by a key of `ORDERS` or by status; None or empty where it has no such value."""
    return standing(*item) if key == STATUS else ORDERS[key].of(item[0])


def is_descending(key: str, *, reverse: bool) -> bool:
    """Whether the largest come first in an order."""
    return (key in ORDERS and ORDERS[key].descending) is not reverse


def ordered(items: Iterable[Listed], key: str, *, reverse: bool = False) -> list[Listed]:
    """The runs by a key of `ORDERS` or by status, `reverse` the other way round; unknown values last in any case."""
    values = [(value_of(item, key), item) for item in items]
    known = [pair for pair in values if pair[0] not in (None, "")]
    unknown = [item for value, item in values if value in (None, "")]
    known.sort(key=lambda pair: pair[0], reverse=is_descending(key, reverse=reverse))
    return [item for _, item in known] + unknown
