"""Runs that are trained as one network, each kept in a folder of its own as `runner` keeps one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import torch

from core.advice import Hint
from core.errors import Stopped, StorageError
from core.events import EpochFinished, RunFailed, RunFinished, RunStopped, TrainEvent
from core.grouped.trainer import GroupedRun, GroupTrainer
from core.models.own.files import OwnFiles
from experiments.execution.runner import Runner, describe_training, failed, kept, owning, recorded_config
from experiments.execution.supervision import Supervision
from experiments.execution.teachers import check_dataset
from experiments.runs.eventlog import Entry, EventWriter
from experiments.runs.folder import Meta, Run, RunSpec
from experiments.runs.store import NewRun
from experiments.runs.teacher import TeacherCopy

SAVE_INTERVAL = 5.0
"""Seconds between two checkpoints of a run: an epoch may take less than it takes to write those of all runs."""


def train_group(runner: Runner, planned: Sequence[RunSpec], made: Sequence[Run] = ()) -> Iterator[Entry]:
    """Prepare and train a group, yielding each event of each run once it is in its log.

    A GPU's memory is free again afterwards, as another group may need as much.

    Args:
        made: the folders of the runs, where there are some already.

    Raises:
        LabError: before the first event, when the group cannot be started; no run folder is made then.
    """
    try:
        yield from _train(runner, planned, made)
    finally:
        torch.cuda.empty_cache()  # where there is no GPU this does nothing


def _train(runner: Runner, planned: Sequence[RunSpec], made: Sequence[Run]) -> Iterator[Entry]:
    from core.device.device import flushed_denormals

    with flushed_denormals(), ExitStack() as open_runs:
        trainer, source, teacher = _prepare(runner, planned)
        runs = made or _create(runner, trainer, [spec.meta for spec in planned], source, teacher)
        for run in made:
            run.set_environment(describe_training(trainer.members[0]))
        keepers = []
        for member, run in zip(trainer.members, runs, strict=True):
            open_runs.enter_context(owning(run))
            log = open_runs.enter_context(run.open_log())
            keepers.append(_Keeper(member, run, log, Supervision(run, runner.should_stop)))
        yield from _execute(trainer, keepers)


def _prepare(runner: Runner, planned: Sequence[RunSpec]) -> tuple[GroupTrainer, OwnFiles | None, TeacherCopy | None]:
    """The trainer, and the code of a user's own module and the teacher, which are read once for all runs."""
    from core.device.allocator import keep_freed_memory
    from core.device.device import pick_device
    from core.models.network import build_network
    from core.training.failures import preparing

    Stopped.check(runner.should_stop)
    keep_freed_memory()
    configs = [runner.teachers.settled(runner.store, spec.config) for spec in planned]
    teacher = runner.teachers.of(runner.store, configs[0], planned[0].meta.group_id)
    device = pick_device(configs[0].device)
    dataset = runner.load_dataset(configs[0])
    source = planned[0].files or runner.first_read.of(configs[0])
    networks = []
    for config in configs:
        networks.append(build_network(config, source, dataset.task))
        source = networks[0].source
    runner.first_read.keep(configs[0], source)
    recorded = [recorded_config(config, dataset) for config in configs]
    with preparing(configs[0], device):
        modules = [network.module for network in networks]
        check_dataset(teacher, dataset.name)
        taught = None if teacher is None else teacher.teacher(configs[0], dataset.task)
        return GroupTrainer(recorded, dataset, networks[0].summary, modules, device, taught), source, teacher


def _create(
    runner: Runner,
    trainer: GroupTrainer,
    metas: Sequence[Meta],
    source: OwnFiles | None,
    teacher: TeacherCopy | None,
) -> list[Run]:
    """Make the folders of all runs, or of none."""
    environment = describe_training(trainer.members[0])
    return runner.store.create_all(
        NewRun(member.config, meta, environment, source, teacher)
        for member, meta in zip(trainer.members, metas, strict=True)
    )


def _execute(trainer: GroupTrainer, keepers: Sequence[_Keeper]) -> Iterator[Entry]:
    """Train and record. A consumer that takes no more events has stopped the runs."""
    try:
        for member, event in trainer.run(lambda member: keepers[member.copy].should_stop()):
            keeper = keepers[member.copy]
            try:
                yield from keeper.keep(event)
            except StorageError as error:
                yield keeper.give_up(error.message, error.advice)
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        for keeper in keepers:
            if not keeper.has_end:
                for _ in keeper.keep(RunStopped(epoch=keeper.member.epoch, reason="abandoned")):
                    pass
        raise
    except BaseException as error:
        for keeper in keepers:
            if not keeper.has_end:
                keeper.give_up(f"{type(error).__name__}: {error}", "this is a defect of the program")
        raise


class _Keeper:
    """Keeps one run of a group: log, checkpoints, weights."""

    def __init__(self, member: GroupedRun, run: Run, log: EventWriter, should_stop: Supervision) -> None:
        self.member = member
        self.should_stop = should_stop
        self._run = run
        self._log = log
        self._saved_at = time.monotonic()
        self._saved_epoch = 0
        self._given_up = False

    @property
    def has_end(self) -> bool:
        """Whether the run's log has its end, or cannot be written."""
        return self._log.has_end or self._given_up

    def keep(self, event: TrainEvent) -> Iterator[Entry]:
        """Write an event down, and what belongs to it.

        Raises:
            StorageError: when it cannot be written.
        """
        match event:
            case EpochFinished():
                yield self._log.append(event)
                if time.monotonic() - self._saved_at >= SAVE_INTERVAL:
                    yield from self._save()
                return
            case RunFinished() if self._saved_epoch < event.epochs:
                yield from self._save()
            case RunFailed():
                self._save_best()
        for recorded in kept(self.member, self._run, event):
            yield self._log.append(recorded)

    def give_up(self, error: str, hint: Hint) -> Entry:
        """End the run as failed for a reason outside the training; the others go on."""
        self.member.ended = self._given_up = True
        return failed(self._run, self._log, self.member, error, hint)

    def _save(self) -> Iterator[Entry]:
        self._save_best()
        yield self._log.append(self._run.save_checkpoint(self.member))
        self._saved_at, self._saved_epoch = time.monotonic(), self.member.epoch

    def _save_best(self) -> None:
        best = self.member.best_epoch
        if best > self._saved_epoch:
            self._run.save_weights(self._run.best_weights, self.member.best_weights, self.member, epoch=best)
