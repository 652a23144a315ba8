"""Send the events of a run to TensorBoard's event files, or to a tracking service with wandb's API, while it trains.

Training does not know of it: entries are passed on unchanged. A tracker that fails is dropped with one warning, and the
run goes on without it. A run that is gone on with is shown where it was before, and no step of it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from inspect import signature
from itertools import takewhile
from typing import Any, Literal, Protocol, TypeVar, cast, get_args

from core.errors import StorageError, one_line
from core.events import EpochFinished, RunFinished, RunStarted, StepProgress
from experiments.extras import require
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Meta, Run
from experiments.runs.store import Store

Service = Literal["trackio", "wandb"]
SERVICES: tuple[Service, ...] = get_args(Service)
TENSORBOARD = "tensorboard"
PROJECT = "mnist-tui"
EPOCH_KEYS = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "val_loss", "val_accuracy", "lr")
RUN_KEYS = ("final_test_accuracy", "best_test_accuracy", "selected_test_accuracy")

T = TypeVar("T")
Warn = Callable[[str], None]


class Tracker(Protocol):
    """Receives the entries of one run, in order."""

    def take(self, entry: Entry) -> None: ...

    def close(self) -> None: ...


class ServiceTracker:
    """Sends a run to trackio or wandb by the three functions that both have: `init`, `log` and `finish`.

    Args:
        sent: what the log of the run says that earlier lives of it have sent. A service is not asked what it has.
    """

    def __init__(self, service: Service, run: Run, sent: Iterable[Entry]) -> None:
        self._service: Any = import_module(service)
        self._run = run
        self._steps_per_epoch = 0
        self._step = 0
        self._epoch = 0
        self._goes_on = False
        for entry in sent:
            self._goes_on = True
            self._is_new(entry)

    def take(self, entry: Entry) -> None:
        """Log epochs and progress by the step of the run, none of them twice. The step never goes back, as wandb
        requires."""
        if not self._is_new(entry):
            return
        match entry.event:
            case RunStarted() as event:
                facts = {"run_id": entry.run_id, "spec": event.spec, "total_params": event.total_params}
                name = self._run.meta().name or entry.run_id
                named = {"id": entry.run_id, "resume": "allow"} if self._goes_on else {"id": entry.run_id}
                self._goes_on = True
                taken = signature(self._service.init).parameters  # trackio goes on with a run of the same name
                named = {key: value for key, value in named.items() if key in taken}
                self._service.init(project=PROJECT, name=name, config={**event.config, **facts}, **named)
            case StepProgress(loss=loss) as event if loss is not None:
                self._service.log({"step_loss": loss, "images_per_second": event.images_per_second}, step=self._step)
            case EpochFinished() as event:
                self._service.log({"epoch": event.epoch, **_present(event, EPOCH_KEYS)}, step=self._step)
            case RunFinished() as event:
                self._service.log(_present(event, RUN_KEYS), step=self._step)
            case _:
                pass

    def close(self) -> None:
        self._service.finish()

    def _is_new(self, entry: Entry) -> bool:
        """Whether no earlier entry was of this step or epoch, which a run that was killed does again."""
        match entry.event:
            case RunStarted() as event:
                self._steps_per_epoch = event.steps_per_epoch
            case StepProgress(loss=loss) as event if loss is not None:
                step = (event.epoch - 1) * event.steps_per_epoch + event.step
                if step <= self._step:
                    return False
                self._step = step
            case EpochFinished() as event:
                if event.epoch <= self._epoch:
                    return False
                self._epoch = event.epoch
                self._step = max(self._step, event.epoch * self._steps_per_epoch)
            case _:
                pass
        return True


@dataclass(frozen=True, slots=True)
class Tracking:
    """The trackers that a user asked for, beside those that a run has had since its start. `warn` is called once for
    each that fails."""

    store: Store
    warn: Warn
    tensorboard: bool = False
    log_to: Service | None = None

    def check(self) -> None:
        """Raise `InvalidValue` when a package that is asked for is not installed. Nothing is imported."""
        if self.tensorboard:
            require("tensorboard", True, ("tensorboard",), "tensorboard")
        if self.log_to is not None:
            require("log_to", self.log_to, (self.log_to,))

    def of(self, meta: Meta) -> Meta:
        """A run's meta with the trackers that it is to have: those asked for, and those that it has; one service."""
        services = [self.log_to] if self.log_to is not None else [name for name in SERVICES if name in meta.trackers]
        event_files = [TENSORBOARD] if self.tensorboard or TENSORBOARD in meta.trackers else []
        return replace(meta, trackers=(*event_files, *services[:1]))

    def follow(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Pass on the entries of runs that are trained one after the other, each after the trackers of its run have
        received it. Which these are is kept in the run, for when it is gone on with."""
        trackers: list[_SafeTracker] = []
        run_id = ""
        try:
            for entry in entries:
                if entry.run_id != run_id:
                    run_id = entry.run_id
                    while trackers:
                        trackers.pop().close()
                    trackers.extend(self._trackers(self.store.run(run_id), entry))
                for tracker in trackers:
                    tracker.take(entry)
                yield entry
        finally:
            for tracker in trackers:
                tracker.close()

    def _trackers(self, run: Run, first: Entry) -> Iterator[_SafeTracker]:
        """The trackers of a run whose present life begins with an entry, told of what happened before that."""
        before = run.meta().trackers
        names = self.of(run.meta()).trackers
        if names != before:
            with suppress(StorageError):  # it is tracked now, and not when it goes on
                run.change_meta(trackers=names)
        for name in names:
            was_on = name in before and not _is_first(run, first)
            tracker = _SafeTracker(
                name, partial(_make, name, run, earlier_entries(run, first) if was_on else ()), self.warn
            )
            if not was_on or name == TENSORBOARD:  # its files say themselves what they have
                for entry in earlier_entries(run, first):
                    tracker.take(entry)
            yield tracker


def earlier_entries(run: Run, first: Entry) -> Iterator[Entry]:
    """What a run's log has from lives before the one that begins with an entry."""
    return takewhile(
        lambda entry: (entry.time, entry.event.NAME) != (first.time, first.event.NAME), EventReader(run.log).poll()
    )


def _is_first(run: Run, first: Entry) -> bool:
    return next(earlier_entries(run, first), None) is None


def _make(name: str, run: Run, sent: Iterable[Entry]) -> Tracker:
    if name == TENSORBOARD:
        from experiments.export.event_files import EventFiles

        return EventFiles(run.folder / "tensorboard")
    return ServiceTracker(cast(Service, name), run, sent)


class _SafeTracker:
    """A tracker that is dropped at its first failure, with a warning."""

    def __init__(self, name: str, make: Callable[[], Tracker], warn: Warn) -> None:
        self._name = name
        self._warn = warn
        self._real: Tracker | None = None
        self._real = self._guard(make)

    def take(self, entry: Entry) -> None:
        if (real := self._real) is not None:
            self._guard(lambda: real.take(entry))

    def close(self) -> None:
        if (real := self._real) is not None:
            self._guard(real.close)

    def _guard(self, action: Callable[[], T]) -> T | None:
        try:
            return action()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # somebody else's code must not stop a run
            self._real = None
            self._warn(f"{self._name}: {type(error).__name__}: {one_line(error)}; the run goes on without it")
            return None


def _present(event: EpochFinished | RunFinished, keys: tuple[str, ...]) -> dict[str, float]:
    return {key: value for key in keys if (value := getattr(event, key)) is not None}
