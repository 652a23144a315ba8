"""Trains a run and writes down what happens. Every front end and executor trains through here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.advice import Action, Advice, Hint, Tip
from core.config import MACHINE_FIELDS, TrainConfig
from core.data.download import Progress
from core.data.task_of import task_of
from core.dataset_names import absolute_dataset
from core.errors import DataError, InvalidValue, LabError, ShouldStop, Stopped, StorageError, one_line
from core.events import EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped, TrainEvent
from core.models.network import check_module_file, recorded_arch, summarize_config
from core.models.spec import is_user_module
from core.task import ImageTask
from experiments.execution.own_files import FirstRead
from experiments.execution.supervision import Supervision
from experiments.execution.teachers import AnyTrainer, KnownTeachers, kept_teacher, learning_from
from experiments.locations import Locations
from experiments.runs.config import extended_config, stored_config
from experiments.runs.environment import describe_environment
from experiments.runs.eventlog import Entry, EventWriter
from experiments.runs.folder import Meta, Run, RunSpec
from experiments.runs.own_code import NamedCode, named_code
from experiments.runs.reserve import keep_end
from experiments.runs.source import add_source
from experiments.runs.store import NewRun, Store
from experiments.runs.view import RunView

if TYPE_CHECKING:
    import torch
    from torch import nn

    from core.data.loader import Dataset
    from core.models.own.files import OwnFiles
    from core.models.summary import Summary
    from core.training.record import RunRecord
    from core.training.trainer import Trainer
    from experiments.runs.teacher import TeacherCopy

MakeTrainer = Callable[["TrainConfig", "Dataset", "Summary", "nn.Module", "torch.device"], AnyTrainer]


def never() -> str:
    """A `ShouldStop` that lets work go on to its end."""
    return ""


@dataclass(frozen=True, slots=True)
class Runner:
    """Starts and resumes runs in one home. `progress` is told of downloads."""

    locations: Locations
    should_stop: ShouldStop = never
    progress: Progress = lambda *_: None
    first_read: FirstRead = field(default_factory=FirstRead)
    teachers: KnownTeachers = field(default_factory=KnownTeachers)

    @property
    def store(self) -> Store:
        return Store(self.locations.home)

    def check(self, config: TrainConfig, files: OwnFiles | None = None) -> None:
        """Find what is wrong with a run before anything slow is done: budget, spec, home. Needs no torch.

        Args:
            files: the code of its own module, where that is not to be what lies on the disk.

        Raises:
            InvalidValue, OverBudget, StorageError, DataError.
        """
        self.check_network(config, files)
        self.store.check_writable()

    def check_network(self, config: TrainConfig, files: OwnFiles | None = None) -> None:
        """`check`, of what is not to be kept: all but the home."""
        summarize_config(config, task_of(config.dataset))
        if is_user_module(config.arch) and files is None:
            check_module_file(config.arch)

    def run(self, config: TrainConfig, meta: Meta | None = None, files: OwnFiles | None = None) -> Iterator[Entry]:
        """Check, prepare and train, yielding each event once it is in the log.

        Args:
            files: the code of a user's own module; None for what this runner has read of it, or else lies on the disk.

        Raises:
            LabError: before the first event, when the run cannot be started; there is no run folder then.
        """
        meta = meta or Meta()
        files = files or self.first_read.of(config)
        self.check(config, files)
        config = self.teachers.settled(self.store, config)
        Stopped.check(self.should_stop)
        from core.device.device import flushed_denormals

        with flushed_denormals():
            teacher = self.teachers.of(self.store, config, meta.group_id)
            trainer, source = self.prepare(config, files, teacher)
            self.first_read.keep(config, source)
            run = self.store.create(trainer.config, meta, describe_training(trainer), source, teacher)
            with run.open_log() as log, owning(run):
                yield from self._execute(trainer, run, log)

    def create(self, config: TrainConfig, meta: Meta, files: OwnFiles | None = None) -> Run:
        """Check a run and make its folder, for another process to `resume`. `files` are as for `run`."""
        return self.create_all([RunSpec(config, meta, files)])[0]

    def create_all(self, specs: Iterable[RunSpec], *, has_code: bool = True) -> list[Run]:
        """Check runs and make the folders of all, or of none, for other processes to `resume`.

        Args:
            has_code: whether they keep their code from now on; else that comes with `add_source`.
        """
        return self.store.create_all(self._new(spec, has_code=has_code) for spec in specs)

    def _new(self, spec: RunSpec, *, has_code: bool) -> NewRun:
        files = spec.files or self.first_read.of(spec.config)
        self.check(spec.config, files)
        config = self.teachers.settled(self.store, spec.config)
        if has_code:
            files = files or self.first_read.find(config)
        teacher = self.teachers.of(self.store, config, spec.meta.group_id)
        recorded = portable(config, task_of(config.dataset))
        return NewRun(recorded, spec.meta, describe_environment(config.device), files, teacher)

    def resume(
        self, run: Run, *, epochs: int | None = None, arch: str | None = None, no_budget: bool = False
    ) -> Iterator[Entry]:
        """Go on with a run exactly where its last checkpoint is, or from the start where there is none yet.

        Args:
            epochs: the new number of epochs in all, which extends a finished run too.
            arch: for a user's own module its FILE.py:CLASS once more, so that no code is run that nobody named.

        Raises:
            InvalidValue, OverBudget: when the run cannot go on as asked.
            RunError: when its files are damaged.
        """
        with run.open_log() as log:
            before = run.view()
            code = self.check_resumable(run, before, epochs=epochs, arch=arch, no_budget=no_budget, has_lock=True)
            config = code.config
            from core.device.device import flushed_denormals
            from core.device.threads import kept_threads

            with owning(run), flushed_denormals(), kept_threads():
                run.take_over()
                try:
                    supervised = replace(self, should_stop=Supervision(run, self.should_stop))
                    teacher = kept_teacher(run, config, before.started)
                    trainer, source = supervised.prepare(config, code.files, teacher)
                    run.load_checkpoint_into(trainer)
                    if trainer.epoch == 0:  # another process may have made the folder, on another machine
                        trainer.engine.restore(
                            run.order_of_sums(), trainer.device
                        )  # killed, it starts over as it began
                        run.set_environment(describe_training(trainer))
                        if source is not None and before.started is None:
                            add_source(run, source)  # one that was recorded before its code had been looked at
                except LabError as error:
                    if isinstance(error, InvalidValue) and error.field in MACHINE_FIELDS and before.epochs_done:
                        error.advice = Advice("go on with it on a machine that has what it was begun with")
                    if not isinstance(before.end, RunFinished):  # one keeps its result, and can be extended later
                        stopped = isinstance(error, Stopped)
                        log.append(RunStopped(epoch=0, reason=error.message) if stopped else RunFailed.of(0, error))
                    raise
                yield from self._execute(trainer, run, log, code.note)

    def prepare(
        self, config: TrainConfig, files: OwnFiles | None = None, teacher: TeacherCopy | None = None
    ) -> tuple[Trainer, OwnFiles | None]:
        """Import torch, load the data and build the network; returns its code, too, where that is a user's own.

        `files` are as for `check`; without `teacher` one that the config names is looked for.

        Raises:
            InvalidValue, OverBudget, DataError, Stopped, TrainingFailed.
        """
        if teacher is None:
            config = self.teachers.settled(self.store, config)
            teacher = self.teachers.of(self.store, config)
        from core.training.trainer import Trainer

        return self.prepare_as(learning_from(teacher, Trainer), config, files)

    def prepare_as(
        self, make: MakeTrainer[AnyTrainer], config: TrainConfig, files: OwnFiles | None = None
    ) -> tuple[AnyTrainer, OwnFiles | None]:
        """`prepare` for another kind of trainer, made by `make`.

        Raises:
            InvalidValue, OverBudget, DataError, Stopped, TrainingFailed.
        """
        from core.device.allocator import keep_freed_memory
        from core.device.collector import let_collector_go
        from core.device.device import pick_device
        from core.models.network import build_network
        from core.training.failures import preparing

        Stopped.check(self.should_stop)
        keep_freed_memory()
        let_collector_go()  # all is imported
        device = pick_device(config.device)
        task = task_of(config.dataset)
        network = build_network(config, files, task)
        dataset = self.load_dataset(config)
        if dataset.task != task:
            raise DataError(f"{dataset.name}: changed while the run was prepared", hint="start it again")
        with preparing(config, device):
            trainer = make(recorded_config(config, dataset), dataset, network.summary, network.module, device)
        return trainer, network.source

    def load_dataset(self, config: TrainConfig) -> Dataset:
        """The data set of a config, downloaded where it has to be.

        Raises:
            DataError, Stopped.
        """
        from core.data.loader import Loader

        loader = Loader(self.locations.data, self.locations.cache, self.should_stop, self.progress)
        return loader.load(config.dataset)

    def _execute(self, trainer: Trainer, run: Run, log: EventWriter, note: str = "") -> Iterator[Entry]:
        """Train and record, with a note on the code of the run. A consumer that takes no more events has stopped it."""
        try:
            for event in trainer.run(Supervision(run, self.should_stop)):
                if note and isinstance(event, RunStarted):
                    event = replace(event, note="; ".join(filter(None, (event.note, note))))
                for recorded in kept(trainer, run, event):
                    yield run.begin(log, recorded) if isinstance(recorded, RunStarted) else log.append(recorded)
        except StorageError as error:
            yield failed(run, log, trainer, error.message, error.advice)
        except (GeneratorExit, KeyboardInterrupt, SystemExit):
            if not log.has_end:
                for recorded in kept(trainer, run, RunStopped(epoch=trainer.epoch, reason="abandoned")):
                    log.append(recorded)
            raise
        except BaseException as error:
            failed(run, log, trainer, f"{type(error).__name__}: {error}", "this is a defect of the program")
            raise

    def check_resumable(
        self,
        run: Run,
        view: RunView | None = None,
        *,
        epochs: int | None = None,
        arch: str | None = None,
        no_budget: bool = False,
        has_lock: bool = False,
    ) -> NamedCode:
        """The config and the code to go on with, or the reason why not, as `resume` says. Needs no torch.

        Args:
            view: what the run's log says, where that is known already.
            has_lock: whether this process has the run's log open, so that nobody else can.
        """
        if run.is_owned_elsewhere(has_lock=has_lock):
            hint = Advice(Tip(Action.WATCH, run.id), ", or stop it first")
            raise InvalidValue("run", run.id, "is running", hint=hint)
        view = view or run.view()
        config = stored_config(run, view)
        if no_budget:
            config = config.model_copy(update={"budget": False})
        if isinstance(view.end, RunFinished) and epochs is None:
            raise InvalidValue("run", run.id, "is finished", hint=Tip(Action.EXTEND, run.id))
        if epochs is not None:
            config = extended_config(run, config, view, epochs)
        code = named_code(run, config, arch, exactly=True)
        self.check(code.config, code.files)
        return code


@contextmanager
def owning(run: Run) -> Iterator[None]:
    """Within the block the run is this process's to train, and nobody's after it."""
    try:
        yield
    finally:
        run.release()


def portable(config: TrainConfig, task: ImageTask) -> TrainConfig:
    """The config as another process, in another folder, understands it."""
    arch, dataset = recorded_arch(config.arch, task), absolute_dataset(config.dataset)
    return config.changed(arch=arch, dataset=dataset)


def describe_training(trainer: RunRecord) -> dict[str, Any]:
    """What a run is made with, by the process that trains it."""
    return {**describe_environment(str(trainer.device)), **trainer.engine.state(trainer.device)}


def recorded_config(config: TrainConfig, dataset: Dataset) -> TrainConfig:
    """The config that a run's record shows: which data set it was, whatever `auto` would find another day."""
    return portable(config, dataset.task).changed(dataset=dataset.choice)


def kept(trainer: RunRecord, run: Run, event: TrainEvent) -> Iterator[TrainEvent]:
    """The events to write down for one of the trainer's, having saved what belongs to it.

    A score is in the log before its checkpoint is saved: after a crash in between, the epoch is done again and comes
    out the same.
    """
    match event:
        case EpochFinished():
            yield event
            if event.epoch == trainer.best_epoch:
                run.save_weights(run.best_weights, trainer.best_weights, trainer, epoch=event.epoch)
            yield run.save_checkpoint(trainer)
        case RunStopped():
            if trainer.best_epoch:  # whoever was told of that epoch may have taken no more events
                run.save_weights(run.best_weights, trainer.best_weights, trainer, epoch=trainer.best_epoch)
            if trainer.epoch:
                yield run.save_checkpoint(trainer)
            yield event
        case RunFinished():
            run.save_weights(run.final_weights, trainer.final_weights, trainer, epoch=event.epochs)
            run.save_predictions(trainer)
            yield event
        case _:
            yield event


def failed(run: Run, log: EventWriter, trainer: RunRecord, error: str, hint: Hint) -> Entry:
    """Write down that the run has failed, in the space set aside for this; what cannot be written is still yielded."""
    event = RunFailed(epoch=trainer.epoch, error=one_line(error, 300), advice=Advice.of(hint))
    keep_end(run.reserve, run.id, event)
    try:
        entry = log.append(event)
    except StorageError:  # others have taken even what was given up for it: whoever looks at the run finds it kept
        return Entry("", run.id, event)
    run.release_reserve()
    return entry
