"""Send the events of a run to TensorBoard's event files, or to a tracking service with wandb's API, while it trains.

Training does not know of it: entries are passed on unchanged. A tracker that fails is dropped with one warning, and the
run goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol, TypeVar

from core.errors import one_line
from core.events import EpochFinished, RunFinished, RunStarted, StepProgress
from experiments.extras import require
from experiments.runs.eventlog import Entry
from experiments.runs.folder import Run
from experiments.runs.store import Store

Service = Literal["trackio", "wandb"]
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
    """Sends a run to trackio or wandb by the three functions that both have: `init`, `log` and `finish`."""

    def __init__(self, service: Service, run: Run) -> None:
        self._service: Any = import_module(service)
        self._run = run
        self._steps_per_epoch = 0
        self._step = 0

    def take(self, entry: Entry) -> None:
        """Log epochs and progress by the step of the run. The step never goes back, as wandb requires."""
        match entry.event:
            case RunStarted() as event:
                self._steps_per_epoch = event.steps_per_epoch
                facts = {"run_id": entry.run_id, "spec": event.spec, "total_params": event.total_params}
                name = self._run.meta().name or entry.run_id
                self._service.init(project=PROJECT, name=name, config={**event.config, **facts})
            case StepProgress(loss=loss) as event if loss is not None:
                step = (event.epoch - 1) * event.steps_per_epoch + event.step
                self._log({"step_loss": loss, "images_per_second": event.images_per_second}, step)
            case EpochFinished() as event:
                self._log({"epoch": event.epoch, **_present(event, EPOCH_KEYS)}, event.epoch * self._steps_per_epoch)
            case RunFinished() as event:
                self._log(_present(event, RUN_KEYS), event.epochs * self._steps_per_epoch)
            case _:
                pass

    def close(self) -> None:
        self._service.finish()

    def _log(self, values: dict[str, float], step: int) -> None:
        self._step = max(self._step, step)
        self._service.log(values, step=self._step)


@dataclass(frozen=True, slots=True)
class Tracking:
    """The trackers that a user asked for. `warn` is called once for each that fails."""

    store: Store
    warn: Warn
    tensorboard: bool = False
    log_to: Service | None = None

    @property
    def is_on(self) -> bool:
        """Whether there is any tracker."""
        return self.tensorboard or self.log_to is not None

    def check(self) -> None:
        """Raise `InvalidValue` when a package that is needed is not installed. Nothing is imported."""
        if self.tensorboard:
            require("tensorboard", True, ("tensorboard",), "tensorboard")
        if self.log_to is not None:
            require("log_to", self.log_to, (self.log_to,))

    def follow(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Pass on the entries of one run, each after the trackers have received it."""
        trackers: list[_SafeTracker] | None = None
        try:
            for entry in entries:
                if trackers is None:
                    trackers = list(self._trackers(self.store.run(entry.run_id)))
                for tracker in trackers:
                    tracker.take(entry)
                yield entry
        finally:
            for tracker in trackers or ():
                tracker.close()

    def _trackers(self, run: Run) -> Iterator[_SafeTracker]:
        if self.tensorboard:
            yield _SafeTracker("tensorboard", lambda: _event_files(run), self.warn)
        if self.log_to is not None:
            service = self.log_to
            yield _SafeTracker(service, lambda: ServiceTracker(service, run), self.warn)


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


def _event_files(run: Run) -> Tracker:
    from experiments.export.event_files import EventFiles

    return EventFiles(run.folder / "tensorboard")
