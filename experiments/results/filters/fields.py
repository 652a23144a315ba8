"""What a filter may ask of a run: its fields, each with the values that it can be held against."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from experiments.results.groups import name_of
from experiments.runs.row import RunRow, Status, standing

Listed = tuple[RunRow, Status]
"""A run of a list, with its status."""


class Kind(StrEnum):
    """How a value is written. A count may end in k, a time in s, m, h, d or w."""

    PERCENT = "percent"
    NUMBER = "number"
    COUNT = "count"
    TIME = "time"
    PART = "part"
    """A text, of which a filter may give a part."""
    WORD = "word"
    """A text, of which a filter gives all."""


@dataclass(frozen=True, slots=True)
class FilterField:
    """`of` gives a run's number, None where it has none, or all of its texts; `example` is a term with it."""

    kind: Kind
    of: Callable[[Listed], float | tuple[str, ...] | None]
    meaning: str
    example: str

    @property
    def is_number(self) -> bool:
        return self.kind not in (Kind.PART, Kind.WORD)


def _percent(accuracy: float | None) -> float | None:
    return None if accuracy is None else 100 * accuracy


def age_of(row: RunRow) -> float | None:
    """Seconds since a run began; None where it has not."""
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(row.started)).total_seconds()
    except (ValueError, TypeError):
        return None


def _states(item: Listed) -> tuple[str, ...]:
    word = standing(*item)
    return (word, "live" if item[1] is Status.RUNNING else "ended")


def _groups(item: Listed) -> tuple[str, ...]:
    row, _ = item
    return () if row.group_id is None else (row.group_id, *filter(None, [name_of([row])]))


FIELDS: Mapping[str, FilterField] = {
    "acc": FilterField(
        Kind.PERCENT, lambda item: _percent(item[0].best_or_final), "the best accuracy, or the final one", "acc>99.4"
    ),
    "best": FilterField(
        Kind.PERCENT, lambda item: _percent(item[0].best_test_accuracy), "the best test accuracy", "best>=99.4"
    ),
    "final": FilterField(
        Kind.PERCENT, lambda item: _percent(item[0].final_test_accuracy), "the final test accuracy", "final<99"
    ),
    "params": FilterField(Kind.COUNT, lambda item: item[0].total_params, "parameters", "params<8k"),
    "epochs": FilterField(Kind.COUNT, lambda item: item[0].epochs_done, "epochs trained", "epochs>=10"),
    "reached": FilterField(
        Kind.COUNT, lambda item: item[0].first_epoch_at_target, "the first epoch at the target", "reached<=12"
    ),
    "lr": FilterField(Kind.NUMBER, lambda item: item[0].lr, "learning rate", "lr=0.01..0.05"),
    "batch": FilterField(Kind.COUNT, lambda item: item[0].batch_size, "batch size", "batch=64,128"),
    "seed": FilterField(Kind.COUNT, lambda item: item[0].seed, "seed", "seed=0..4"),
    "time": FilterField(Kind.TIME, lambda item: item[0].seconds or None, "time in training", "time<2m"),
    "age": FilterField(Kind.TIME, lambda item: age_of(item[0]), "time since it began", "age<2h"),
    "status": FilterField(Kind.WORD, _states, "what it is doing", "status:live"),
    "tag": FilterField(Kind.WORD, lambda item: item[0].tags, "a tag", "tag:best"),
    "group": FilterField(Kind.WORD, _groups, "the name or id of its group", "group:base"),
    "sweep": FilterField(
        Kind.WORD, lambda item: (item[0].sweep,) if item[0].sweep else (), "the sweep it is a trial of", "sweep:first"
    ),
    "name": FilterField(Kind.PART, lambda item: (item[0].name,), "a part of the name", "name:base"),
    "id": FilterField(Kind.PART, lambda item: (item[0].run_id,), "a part of the id", "id:20260102"),
    "arch": FilterField(Kind.PART, lambda item: (item[0].arch,), "a part of the network", "arch:conv5"),
    "data": FilterField(Kind.PART, lambda item: (item[0].dataset,), "a part of the data set", "data:fashion"),
    "schedule": FilterField(Kind.WORD, lambda item: (item[0].schedule,), "the schedule", "schedule:onecycle"),
    "optimizer": FilterField(Kind.WORD, lambda item: (item[0].optimizer,), "the optimizer", "optimizer:adamw"),
    "augment": FilterField(Kind.PART, lambda item: (item[0].augment,), "a part of the augmentation", "augment:shift"),
    "note": FilterField(Kind.PART, lambda item: (item[0].note,), "a part of the note", "note:overfit"),
}
"""The fields by the names that people type."""
ALSO = {"accuracy": "acc", "parameters": "params", "batch_size": "batch", "study": "sweep", "dataset": "data"}
"""Other names of fields."""
STATES = ("live", "ended", "waiting", *(str(status) for status in Status))
"""The words for what a run is doing."""

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)([a-z%]?)")
_UNITS: Mapping[Kind, Mapping[str, float]] = {
    Kind.PERCENT: {"": 1, "%": 1},
    Kind.NUMBER: {"": 1},
    Kind.COUNT: {"": 1, "k": 1e3},
    Kind.TIME: {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800},
}
_ALLOWED = {
    Kind.PERCENT: "a percentage",
    Kind.NUMBER: "a number",
    Kind.COUNT: "a number",
    Kind.TIME: "a time in s, m, h, d or w",
}


def number_in(field: str, text: str) -> float:
    """A number as somebody typed it for a field.

    Raises:
        ValueError: with what is allowed.
    """
    kind, example = FIELDS[field].kind, FIELDS[field].example
    match = _NUMBER.fullmatch(text.lower())
    if match is None or match[2] not in _UNITS[kind] or not math.isfinite(float(match[1])):
        raise ValueError(f"{field} takes {_ALLOWED[kind]}, such as {example}")
    value = float(match[1]) * _UNITS[kind][match[2]]
    if kind is Kind.PERCENT and 0 < value <= 1 and not match[2]:
        raise ValueError(f"{field} is in percent: {field}>{100 * value:g}, not {text}")
    return value


def searched(item: Listed) -> str:
    """All that a free word is looked for in, in small letters."""
    row, _ = item
    parts = (
        *(row.run_id, row.name, row.arch, row.dataset, *_states(item), *(f"#{tag}" for tag in row.tags)),
        *("sweep", row.sweep) * bool(row.sweep),
        *("group", row.group_id or "") * (row.group_id is not None),
        row.note,
    )
    return " ".join(parts).lower()
