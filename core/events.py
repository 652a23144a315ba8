"""The events of a run, in order: the one interface between training and everyone who follows it.

Events are plain scalars, so that they go through a file, a pipe or another machine unchanged. Accuracies are fractions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from types import NoneType
from typing import Any, ClassVar, get_args, get_type_hints

from core.advice import Advice
from core.errors import LabError
from core.task import DIGITS, ImageTask


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted:
    """Data and network are ready and the first step is next.

    `spec` is the network in full, dropout included; `note` says what a user should know about data set and engine;
    `engine` is how steps are executed, `engine_reason` why so, and `kernels` where those of `native` come from, which
    earlier versions did not say. `pixel_mean` and `pixel_std` are those by which the images are standardised, scaled to
    0..1; earlier versions did not say them. `teacher` is the SHA-256 of the weights of the network that the run learns
    from, empty where there is none. Images have `image_size` pixels across and down, and are of one of the `classes`,
    given by name.
    """

    NAME: ClassVar = "run_started"
    config: Mapping[str, Any]
    spec: str
    total_params: int
    device: str
    dataset: str
    train_images: int
    val_images: int
    test_images: int
    steps_per_epoch: int
    note: str
    engine: str = "eager"
    engine_reason: str = ""
    kernels: str = ""
    pixel_mean: float | None = None
    pixel_std: float | None = None
    teacher: str = ""
    image_size: int = 28
    classes: tuple[str, ...] = DIGITS

    @property
    def task(self) -> ImageTask:
        return ImageTask(self.image_size, len(self.classes))


@dataclass(frozen=True, kw_only=True, slots=True)
class StepProgress:
    """Emitted by time, not by step; `loss` is the mean over the steps since the last one, None when not finite.

    `threads` of a CPU made the last step; None on other devices, and in the logs of earlier versions.
    """

    NAME: ClassVar = "step_progress"
    epoch: int
    step: int
    steps_per_epoch: int
    loss: float | None
    images_per_second: float
    threads: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochFinished:
    """One pass over the training images, counted from 1.

    The `train_*` are running means over the epoch, augmentation and dropout included. With a validation split the
    `test_*` are None, otherwise the `val_*` are. `seconds` is training plus evaluation; `images_per_second` training.
    `threads` of a CPU made a step, on average, since the run was begun or resumed; None as in `StepProgress`.
    `gradient_norms` and `update_ratios` are by layer, of the last step of the epoch (`core.training.gauges`); earlier
    versions did without.
    """

    NAME: ClassVar = "epoch_finished"
    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float | None
    test_correct: int | None
    test_total: int | None
    val_loss: float | None
    val_accuracy: float | None
    lr: float
    seconds: float
    images_per_second: float
    gradient_norms: Mapping[str, float] = field(default_factory=dict)
    update_ratios: Mapping[str, float] = field(default_factory=dict)
    threads: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointSaved:
    """A file of the run's folder holds the state after `step` steps of `epoch`."""

    NAME: ClassVar = "checkpoint_saved"
    epoch: int
    step: int
    file: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFinished:
    """The run did all that its config asks.

    `best_test_accuracy` is the best over epochs, and optimistic for that; with a validation split it is None, and
    `selected_test_accuracy` is the test accuracy of the epoch that was best on the held-out images. The `tta_*` are of
    the last epoch with test-time augmentation, a score apart from all others, and None without it. `ended_by` is the
    field of the config that ended it: epochs, stop_at_target or early_stop; empty in the logs of earlier versions.
    """

    NAME: ClassVar = "run_finished"
    epochs: int
    final_test_accuracy: float
    best_test_accuracy: float | None
    best_epoch: int | None
    selected_epoch: int | None
    selected_test_accuracy: float | None
    first_epoch_at_target: int | None
    early_signal: bool | None
    seconds: float
    weights_sha256: str
    tta_test_accuracy: float | None = None
    tta_test_correct: int | None = None
    ended_by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStopped:
    """Somebody asked the run to stop, in the middle of `epoch` or before it."""

    NAME: ClassVar = "run_stopped"
    epoch: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFailed:
    """The run cannot go on. Its record has the advice twice: as a plain sentence, `hint`, and as `advice`, typed."""

    NAME: ClassVar = "run_failed"
    epoch: int
    error: str
    advice: Advice = Advice()  # noqa: RUF009  # frozen

    @classmethod
    def of(cls, epoch: int, failure: LabError) -> RunFailed:
        return cls(epoch=epoch, error=failure.message, advice=failure.advice)

    @property
    def hint(self) -> str:
        return str(self.advice)


TrainEvent = RunStarted | StepProgress | EpochFinished | CheckpointSaved | RunFinished | RunStopped | RunFailed
EndEvent = RunFinished | RunStopped | RunFailed

EVENT_TYPES: Mapping[str, type[TrainEvent]] = {event.NAME: event for event in get_args(TrainEvent)}


def to_record(event: TrainEvent) -> dict[str, Any]:
    """The event as JSON-ready keys and values, its name under ``event`` first."""
    record = {"event": event.NAME, **asdict(event)}
    if isinstance(event, RunFailed):
        del record["advice"]
        record |= {"hint": event.hint, "advice": event.advice.to_record()}
    return record


def from_record(record: object) -> TrainEvent | None:
    """The event of a decoded JSON line; None for anything that is not one, so that the readable lines of a damaged log,
    or of another version's, can still be used. Unknown keys are ignored."""
    if not isinstance(record, dict):
        return None
    event_type = EVENT_TYPES.get(record.get("event", "")) if isinstance(record.get("event"), str) else None
    if event_type is None:
        return None
    if event_type is RunFailed:  # whose typed advice earlier versions did not write
        if not isinstance(hint := record.get("hint"), str):
            return None
        record = record | {"advice": Advice.from_record(record.get("advice")) or Advice(hint)}
    values: dict[str, Any] = {}
    for name, types in _FIELD_TYPES[event_type].items():
        if name not in record and name in _OPTIONAL[event_type]:
            continue
        value = record.get(name)
        if float in types and type(value) is int and abs(value) < _LARGEST_WHOLE:
            value = float(value)
        if isinstance(value, list):  # of names
            value = tuple(value)
            if not value or not all(isinstance(name, str) for name in value):
                return None
        if not _is_accepted(value, types, by_layer=name in BY_LAYER):
            return None
        values[name] = value
    return event_type(**values)


def _types_of(event_type: type[TrainEvent]) -> dict[str, tuple[type, ...]]:
    hints = get_type_hints(event_type)
    accepted: dict[str, tuple[type, ...]] = {}
    for one in fields(event_type):
        hint = hints[one.name]
        members = get_args(hint) if NoneType in get_args(hint) else (hint,)
        plain: dict[object, type] = {Mapping[str, Any]: dict, Mapping[str, float]: dict, tuple[str, ...]: tuple}
        accepted[one.name] = tuple(plain.get(member, member) for member in members)
    return accepted


def _is_accepted(value: object, types: tuple[type, ...], *, by_layer: bool) -> bool:
    """Whether a value is of one of the types, and finite; of what is by layer, each value a finite number."""
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        return False
    if by_layer and isinstance(value, dict):
        return all(_is_accepted(one, (int, float), by_layer=False) for one in value.values())
    return not isinstance(value, float) or math.isfinite(value)


BY_LAYER = frozenset({"gradient_norms", "update_ratios"})
"""Fields that have a number for each layer, by its name."""
_LARGEST_WHOLE = 1 << 53
"""Above it not every whole number is a float, and none is an event's."""

_OPTIONAL = {
    event_type: {one.name for one in fields(event_type) if (one.default, one.default_factory) != (MISSING, MISSING)}
    for event_type in EVENT_TYPES.values()
}
"""Fields that the logs of earlier versions do not have."""
_FIELD_TYPES = {event_type: _types_of(event_type) for event_type in EVENT_TYPES.values()}
