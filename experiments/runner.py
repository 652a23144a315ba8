"""Runs a training and keeps it: every front end and executor goes through here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.config import TrainConfig
from core.download import Progress
from core.errors import ShouldStop, Stopped, StorageError
from core.events import EpochFinished, RunFailed, RunFinished, RunStopped
from core.network import summarize_config
from experiments.environment import describe_environment
from experiments.eventlog import Entry, EventWriter
from experiments.locations import Locations
from experiments.store import Meta, Run, Store

if TYPE_CHECKING:
    from torch import Tensor

    from core.trainer import Trainer


def never() -> str:
    """A `ShouldStop` that lets work go on to its end."""
    return ""


@dataclass(frozen=True, slots=True)
class Runner:
    """Starts runs in one home. `progress` is told of downloads."""

    locations: Locations
    should_stop: ShouldStop = never
    progress: Progress = lambda *_: None

    @property
    def store(self) -> Store:
        return Store(self.locations.home)

    def check(self, config: TrainConfig) -> None:
        """Find what is wrong with a run before anything slow is done: budget, spec, home. Needs no torch.

        Raises:
            InvalidValue, OverBudget, StorageError.
        """
        summarize_config(config)
        self.store.check_writable()

    def prepare(self, config: TrainConfig) -> Trainer:
        """Import torch, load the data and build the network.

        Raises:
            InvalidValue, OverBudget, DataError, Stopped.
        """
        from core.data import Loader
        from core.device import pick_device
        from core.network import make_network
        from core.trainer import Trainer

        Stopped.check(self.should_stop)
        device = pick_device(config.device)
        summary, model = make_network(config)
        loader = Loader(self.locations.data, self.locations.cache, self.should_stop, self.progress)
        dataset = loader.load(config.dataset)
        # From here on the record says which data set it was, whatever `auto` would find another day.
        return Trainer(config.changed(dataset=dataset.name), dataset, summary, model, device)

    def run(self, config: TrainConfig, meta: Meta | None = None) -> Iterator[Entry]:
        """Check, prepare and train, yielding each event once it is in the log."""
        self.check(config)
        trainer = self.prepare(config)
        yield from self.execute(trainer, meta or Meta())

    def execute(self, trainer: Trainer, meta: Meta) -> Iterator[Entry]:
        """Train in a run folder of its own. A consumer that takes no more events has stopped the run."""
        run = self.store.create(trainer.config, meta, describe_environment(str(trainer.device)))
        with run.open_log() as log:
            try:
                yield from _record(trainer, run, log, self.should_stop)
            except StorageError as error:
                yield _fail(run, log, trainer, error.message, error.hint)
            except (GeneratorExit, KeyboardInterrupt, SystemExit):
                log.append(RunStopped(epoch=trainer.epoch, reason="abandoned"))
                raise
            except BaseException as error:
                _fail(run, log, trainer, f"{type(error).__name__}: {error}", "this is a defect of the program")
                raise
            finally:
                run.release_reserve()


def _record(trainer: Trainer, run: Run, log: EventWriter, should_stop: ShouldStop) -> Iterator[Entry]:
    for event in trainer.run(should_stop):
        if isinstance(event, EpochFinished) and event.epoch == trainer.best_epoch:
            _save_weights(run.best_weights, trainer.best_weights, trainer, epoch=event.epoch)
        elif isinstance(event, RunFinished):
            _save_weights(run.final_weights, trainer.final_weights, trainer, epoch=event.epochs)
        yield log.append(event)


def _save_weights(path: Path, weights: Mapping[str, Tensor], trainer: Trainer, *, epoch: int) -> None:
    from safetensors.torch import save_file

    from core.files import replacing

    metadata = {"arch": trainer.config.arch, "spec": trainer.summary.spec, "epoch": str(epoch)}
    try:
        with replacing(path) as part:
            save_file(dict(weights), part, metadata)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written: {error.strerror}", hint="free some space in the home folder"
        ) from error


def _fail(run: Run, log: EventWriter, trainer: Trainer, error: str, hint: str) -> Entry:
    """Write down that the run has failed, in the space set aside for this; what cannot be written is still yielded."""
    failed = RunFailed(epoch=trainer.epoch, error=" ".join(error.split()), hint=hint)
    run.release_reserve()
    try:
        return log.append(failed)
    except StorageError:
        return Entry("", run.id, failed)
