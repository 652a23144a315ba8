"""The state of a run, folded from the events of its log with `reduce`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

from core.advice import Action, Advice, Tip
from core.events import (
    CheckpointSaved,
    EndEvent,
    EpochFinished,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    StepProgress,
)
from core.history import best_epoch, early_signal, first_epoch_at
from experiments.runs.eventlog import Entry


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as its log tells it. Times are ISO 8601; fields are None or empty until an event has said them."""

    started_at: str = ""
    updated_at: str = ""
    resumed_at: str = ""
    trained_until: str = ""
    seconds_before: float = 0.0
    started: RunStarted | None = None
    progress: StepProgress | None = None
    epochs: tuple[EpochFinished, ...] = ()
    checkpoint: CheckpointSaved | None = None
    end: EndEvent | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def epochs_done(self) -> int:
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def accuracies(self) -> dict[int, float]:
        """By epoch, on the held-out images where there are some, else on the test images."""
        values = {e.epoch: e.test_accuracy if e.val_accuracy is None else e.val_accuracy for e in self.epochs}
        return {epoch: value for epoch, value in values.items() if value is not None}

    @property
    def losses(self) -> dict[int, float]:
        """By epoch, of the same scores as `accuracies`."""
        values = {e.epoch: e.test_loss if e.val_loss is None else e.val_loss for e in self.epochs}
        return {epoch: value for epoch, value in values.items() if value is not None}

    @property
    def best_test_accuracy(self) -> float | None:
        return max((e.test_accuracy for e in self.epochs if e.test_accuracy is not None), default=None)

    @property
    def final_test_accuracy(self) -> float | None:
        """The test accuracy of the last epoch; None before the run has finished."""
        return self.end.final_test_accuracy if isinstance(self.end, RunFinished) else None

    @property
    def best_epoch(self) -> int:
        return best_epoch(self.accuracies)

    @property
    def early_signal(self) -> bool | None:
        return early_signal(self.accuracies)

    @property
    def first_epoch_at_target(self) -> int | None:
        target = self.config.get("target")
        return first_epoch_at(self.accuracies, target) if isinstance(target, int | float) else None

    @property
    def seconds(self) -> float:
        """The time from each start to the stop, or the last sign of life, that follows it; pauses are not counted, also
        those before a start that came to nothing."""
        if isinstance(self.end, RunFinished):
            return self.end.seconds
        return self.seconds_before + _seconds_between(self.resumed_at, self.trained_until)


def reduce(view: RunView, entry: Entry) -> RunView:
    """The view after one more event."""
    before, view = view, _at(view, entry)
    match entry.event:
        case RunStarted() as event:
            view = replace(view, resumed_at=entry.time, seconds_before=before.seconds)
            return replace(view, started=event, config=event.config, end=None)
        case StepProgress() as event:
            return replace(view, progress=event)
        case EpochFinished() as event:
            return replace(view, epochs=(*_before(view.epochs, event), event))
        case CheckpointSaved() as event:
            return replace(view, checkpoint=event)
        case RunFinished() | RunStopped() | RunFailed() as event:
            return replace(view, end=event)
        case _ as unreachable:
            assert_never(unreachable)


def fold(entries: Iterable[Entry]) -> RunView:
    """The view after all of these events."""
    view = RunView()
    epochs: list[EpochFinished] = []  # as one tuple after the other they would be copied for every epoch
    for entry in entries:
        if isinstance(event := entry.event, EpochFinished):
            del epochs[len(_before(epochs, event)) :]
            epochs.append(event)
            view = _at(view, entry)
        else:
            view = reduce(view, entry)
    return replace(view, epochs=tuple(epochs))


def _at(view: RunView, entry: Entry) -> RunView:
    """The view with the time of one more event. An end that no start comes before, as of one that is gone on with and
    cannot be, is no time of training; it has no epoch, or another end is before it."""
    event = entry.event
    was_idle = isinstance(event, RunStopped | RunFailed) and (view.end is not None or not event.epoch)
    until = view.trained_until if was_idle else entry.time
    return replace(view, started_at=view.started_at or entry.time, updated_at=entry.time, trained_until=until)


def _before(epochs: Sequence[EpochFinished], event: EpochFinished) -> Sequence[EpochFinished]:
    """The epochs that stand when one has been finished, maybe once more."""
    if not epochs or epochs[-1].epoch < event.epoch:
        return epochs
    return epochs[: bisect_left(epochs, event.epoch, key=lambda epoch: epoch.epoch)]


def how_to_finish(reference: str, ends: Iterable[EndEvent | None]) -> Advice:
    """Advice on a run, or on all runs of a group, none of which is live: to go on with it, unless that would fail as it
    has failed before."""
    ends = tuple(ends)
    failures = [end for end in ends if isinstance(end, RunFailed)]
    if failures and len(failures) == len(ends):
        failed = failures[0]
        return Advice(f"{failed.error}: ", *failed.advice.parts) if failed.advice else Advice(failed.error)
    return Advice(Tip(Action.RESUME, reference), " continues it")


def _seconds_between(first: str, last: str) -> float:
    """0 where the times are not what they should be."""
    try:
        seconds = (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, seconds)
