"""A run in one line, as lists show it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeVar, get_args, get_type_hints

from core.dataset_names import name_of
from core.events import EndEvent, RunFailed, RunFinished, RunStopped
from experiments.runs.view import RunView

T = TypeVar("T")

WAITING = "waiting"
"""What is said of a run that is held by a process which has not come to it yet."""
STUDY_TAG = "study:"
"""The beginning of the tag that all runs of a sweep have."""


class Status(StrEnum):
    """`CRASHED` is a run without an end whose process is gone."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    CRASHED = "crashed"


_END_STATUS = {RunFinished: Status.FINISHED, RunStopped: Status.STOPPED, RunFailed: Status.FAILED}


def ended_as(end: EndEvent | None) -> str:
    """The status that the end in a run's log gives; empty where it has none."""
    return "" if end is None else str(_END_STATUS[type(end)])


def status_of(ended: str, *, is_alive: bool) -> Status:
    """A run's status from what `ended_as` says and whether a process trains it; one that goes on again has an end
    and is alive."""
    if is_alive:
        return Status.RUNNING
    return Status(ended) if ended else Status.CRASHED


class Said(Protocol):
    """What people have said of a run."""

    @property
    def name(self) -> str: ...

    @property
    def tags(self) -> tuple[str, ...]: ...

    @property
    def note(self) -> str: ...

    @property
    def group_id(self) -> str | None: ...


class RunRow(NamedTuple):  # of which a hundred thousand are made in a moment
    """Accuracies are fractions; `ended` is the status by the log alone, as `ended_as` has it; `limited` is a run
    on a part of its data set; `first_epoch_at_target` is None while the target has not been reached."""

    run_id: str
    name: str
    ended: str
    arch: str
    dataset: str
    seed: int | None
    total_params: int | None
    epochs_done: int
    epochs: int | None
    best_test_accuracy: float | None
    final_test_accuracy: float | None
    started: str
    seconds: float
    group_id: str | None
    tags: tuple[str, ...]
    limited: bool
    lr: float | None = None
    batch_size: int | None = None
    optimizer: str = ""
    schedule: str = ""
    augment: str = ""
    first_epoch_at_target: int | None = None
    note: str = ""

    @property
    def sweep(self) -> str:
        """The sweep that it is a trial of; empty for none."""
        return next((tag.removeprefix(STUDY_TAG) for tag in self.tags if tag.startswith(STUDY_TAG)), "")

    @property
    def data(self) -> str:
        """The data set as lists show it, with a star where it is only a part of it."""
        return f"{self.dataset}*" if self.limited else self.dataset

    @property
    def best_or_final(self) -> float | None:
        """The best test accuracy; of a run with held-out images, whose test set is looked at once, the final one."""
        return self.final_test_accuracy if self.best_test_accuracy is None else self.best_test_accuracy

    def to_json(self, status: Status) -> dict[str, Any]:
        """The keys that `mnist-tui runs --json` promises."""
        values = self._asdict()
        del values["ended"], values["limited"]
        first = {"run_id": values.pop("run_id"), "name": values.pop("name"), "status": str(status)}
        return {**first, **values, "waiting": standing(self, status) == WAITING}


_TAGS = RunRow._fields.index("tags")
_TYPES = tuple(get_args(hint) or (hint,) for hint in (get_type_hints(RunRow) | {"tags": list}).values())
"""The types that a value of each field may have in a file."""
_sound: set[tuple[type, ...]] = set()
"""Types of values of whole rows that were found to be right; there are few."""


def row_from_file(values: object) -> RunRow | None:
    """The row of a list of values, as `list(row)` has them in JSON; None where one is not of its type."""
    if not isinstance(values, list):
        return None
    types = tuple(map(type, values))
    if types not in _sound:
        if len(types) != len(_TYPES) or not all(one in allowed for one, allowed in zip(types, _TYPES, strict=True)):
            return None
        _sound.add(types)
    if (tags := values[_TAGS]) and not all(type(tag) is str for tag in tags):
        return None
    values[_TAGS] = tuple(tags)
    return RunRow._make(values)


def standing(row: RunRow, status: Status) -> str:
    """A run's status in a word: "waiting" where a process holds it that has not come to it yet, as one does that trains
    the runs of a group in turn. One that is continued has an end until it goes on."""
    return WAITING if status is Status.RUNNING and (row.ended or not row.started) else str(status)


def make_row(run_id: str, view: RunView, config: Mapping[str, Any], said: Said) -> RunRow:
    """Put a row together from a run's log and files; `config` stands in until the log has the config."""
    config = view.config or config
    started, lr = view.started, config.get("lr")
    return RunRow(
        run_id=run_id,
        name=said.name,
        ended=ended_as(view.end),
        arch=_of(str, config, "arch") or "",
        dataset=started.dataset if started else name_of(_of(str, config, "dataset") or ""),
        seed=_of(int, config, "seed"),
        total_params=started.total_params if started else None,
        epochs_done=view.epochs_done,
        epochs=_of(int, config, "epochs"),
        best_test_accuracy=view.best_test_accuracy,
        final_test_accuracy=view.final_test_accuracy,
        started=view.started_at,
        seconds=view.seconds,
        group_id=said.group_id,
        tags=said.tags,
        limited=any(config.get(limit) is not None for limit in ("limit_train", "limit_test")),
        lr=float(lr) if isinstance(lr, int | float) else None,
        batch_size=_of(int, config, "batch_size"),
        optimizer=_of(str, config, "optimizer") or "",
        schedule=_of(str, config, "schedule") or "",
        augment=_of(str, config, "augment") or "",
        first_epoch_at_target=view.first_epoch_at_target,
        note=said.note,
    )


def _of(kind: type[T], values: Mapping[str, Any], key: str) -> T | None:
    value = values.get(key)
    return value if isinstance(value, kind) else None
