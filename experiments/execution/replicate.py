"""Trains runs that belong together: as one network on a GPU, side by side in a process a core, or in turn.

Whichever way, each run has its own folder, log, weights and checkpoint, as if it had been trained alone. All of it may
be called on any thread: no signal is handled here, and the runner's `should_stop` is how it hears that it shall stop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from core.config import TrainConfig
from core.data.task_of import task_of
from core.dataset_names import is_own
from core.errors import Stopped
from core.events import RunStopped
from core.models.network import summarize_config
from core.models.spec import is_user_module
from experiments.execution.apart import examine, train_new, train_on
from experiments.execution.executor import Ended, Executor
from experiments.execution.fleet import Fleet
from experiments.execution.local_executor import LocalExecutor, local_slots
from experiments.execution.runner import Runner, lost
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Run, RunSpec
from experiments.runs.view import RunView, fold, reduce

if TYPE_CHECKING:
    import torch

Way = Literal["grouped", "processes", "in turn"]


@dataclass(frozen=True, slots=True)
class ResumedRun:
    """A run to go on with. `arch` names a user's own module once more, as a consent to run its code."""

    run: Run
    arch: str | None = None


Task = RunSpec | ResumedRun
"""A run to be made and trained, or one to go on with."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """The way in which runs are trained, `size` of them at a time. `words` says so to people; empty where nothing is
    special."""

    way: Way
    size: int = 1
    words: str = ""


IN_TURN = TrainingPlan("in turn")


def plan_runs(runner: Runner, tasks: Sequence[Task], jobs: int | None = None) -> TrainingPlan:
    """The way in which these runs are trained soonest. Imports torch.

    Args:
        jobs: how many to train at a time; with 1 each has all of the machine.

    Raises:
        InvalidValue, OverBudget, StorageError: when the runs cannot be trained here.
    """
    configs = [_config_of(runner, task) for task in tasks]
    runner.check(configs[0])
    from core.device.device import pick_device

    device = pick_device(configs[0].device)
    if len(configs) == 1 or jobs == 1:
        return IN_TURN
    if device.type == "cuda":
        if any(isinstance(task, ResumedRun) for task in tasks):
            return _one_by_one(configs, "one that goes on is trained by itself")
        return _plan_groups(runner, configs, device, jobs)
    slots = local_slots(device.type, min(jobs or len(configs), len(configs), len(local_slots("cpu", None, None))), None)
    if device.type == "cpu" and len(slots) > 1:
        return TrainingPlan("processes", len(slots), f"{len(configs)} runs, {len(slots)} at a time, of one thread each")
    return IN_TURN


def _plan_groups(
    runner: Runner, configs: Sequence[TrainConfig], device: torch.device, jobs: int | None
) -> TrainingPlan:
    """On a GPU: as few groups as fit into what is free of its memory, of equal size."""
    from core.grouped.network import grouping_obstacle

    if is_user_module(configs[0].arch):
        examine(configs[0], runner.should_stop)  # what its code does to a process, before it is run in this one
    if reason := grouping_obstacle(configs, task_of(configs[0].dataset)):
        return _one_by_one(configs, reason)
    import torch

    from core.device.device import describe_device
    from core.grouped.memory import bytes_per_copy, copies_that_fit

    free, _ = torch.cuda.mem_get_info(device)
    dataset = runner.load_dataset(configs[0])
    fitting = copies_that_fit(free, bytes_per_copy(configs[0], dataset))
    room = f"would fit into the {free / 1e9:.1f} GB free on {describe_device(device)}"
    if fitting == 1:
        return _one_by_one(configs, f"no two {room}")
    size = min(fitting, jobs or fitting)
    groups = -(-len(configs) // size)
    size = -(-len(configs) // groups)
    together = "as one network" if groups == 1 else f"as {groups} networks of up to {size} copies"
    return TrainingPlan("grouped", size, f"{len(configs)} runs {together}; {fitting:,} {room}")


def _one_by_one(configs: Sequence[TrainConfig], reason: str) -> TrainingPlan:
    return TrainingPlan("in turn", words=f"{len(configs)} runs, one after the other, because {reason}")


def replicate(runner: Runner, tasks: Sequence[Task], plan: TrainingPlan) -> Iterator[Entry]:
    """Train runs as planned, yielding each event of each of them once it is in its log.

    A run that fails does so alone. One that somebody stops does too, but none is begun after that. The runner's own
    reason to stop ends all of them with checkpoints.

    Raises:
        LabError: before the first event, when the runs cannot be started.
    """
    tasks = _of_one_data_set(runner, tasks)
    configs = [_config_of(runner, task) for task in tasks]
    runner.check(configs[0])
    for config in configs:
        summarize_config(config, task_of(config.dataset))
    parts: Iterator[Iterator[Entry]]
    match plan.way:
        case "in turn":
            parts = (_alone(runner, task) for task in tasks)
        case "grouped":
            from experiments.execution.grouped_runs import train_group

            specs = [task for task in tasks if isinstance(task, RunSpec)]
            assert len(specs) == len(tasks), "a group begins together"
            parts = (train_group(runner, specs[at : at + plan.size]) for at in range(0, len(specs), plan.size))
        case "processes":
            # Fetched once, and what is wrong with it is known before any run is made.
            runner.load_dataset(configs[0])
            Stopped.check(runner.should_stop)
            if is_user_module(configs[0].arch) and isinstance(tasks[0], RunSpec):
                files = tasks[0].files or runner.first_read.of(configs[0])
                found = examine(configs[0], runner.should_stop, runner, files)
                runner.first_read.keep(configs[0], found.source)
            executor = LocalExecutor(runner.locations, local_slots("cpu", plan.size, None))
            parts = iter([_SideBySide(runner, executor, tasks).drive(runner.should_stop)])
    for part in parts:
        stopped = False
        for entry in part:
            stopped = stopped or isinstance(entry.event, RunStopped)
            yield entry
        if stopped:
            return


def _of_one_data_set(runner: Runner, tasks: Sequence[Task]) -> Sequence[Task]:
    """New runs on one's own data, all on what is in the files now, whoever changes one meanwhile."""
    specs = [task for task in tasks if isinstance(task, RunSpec) and is_own(task.config.dataset)]
    if not specs or len({spec.config.dataset for spec in specs}) > 1:
        return tasks
    choice = runner.load_dataset(specs[0].config).choice
    return [
        replace(task, config=task.config.changed(dataset=choice)) if isinstance(task, RunSpec) else task
        for task in tasks
    ]


def _config_of(runner: Runner, task: Task) -> TrainConfig:
    """The config to train with; raises when a run cannot go on."""
    return task.config if isinstance(task, RunSpec) else runner.check_resumable(task.run, arch=task.arch).config


def _alone(runner: Runner, task: Task) -> Iterator[Entry]:
    if isinstance(task, RunSpec):
        return train_new(runner, task)
    return train_on(runner, task.run, arch=task.arch)


class _SideBySide(Fleet[Entry]):
    """Runs in processes, each followed by its log. One is made when a process is free for it."""

    def __init__(self, runner: Runner, executor: Executor, tasks: Sequence[Task]) -> None:
        super().__init__(executor)
        self._runner = runner
        self._waiting = deque(tasks)
        self._logs: dict[str, EventReader] = {}
        self._views: dict[str, RunView] = {}

    def has_more(self) -> bool:
        return bool(self._waiting)

    def begin(self) -> Iterable[Entry] | None:
        if not self._waiting:
            return None
        task = self._waiting.popleft()
        if isinstance(task, RunSpec):
            run = self._runner.create(task.config, task.meta, task.files)
        else:
            run = task.run
            run.forget_stop()
        log = self._logs[run.id] = EventReader(run.log)
        self._views[run.id] = replace(fold(log.poll()), end=None)  # what a run has done that goes on is no news
        self.train(run)
        return ()

    def follow(self, run: Run) -> Iterator[Entry]:
        for entry in self._logs[run.id].poll():
            self._views[run.id] = reduce(self._views[run.id], entry)
            if isinstance(entry.event, RunStopped):
                self._waiting.clear()
            yield entry

    def retry_reason(self, run: Run, ended: Ended) -> str:
        return ended.worker_died if self._views[run.id].end is None else ""

    def end(self, run: Run, ended: Ended) -> Iterator[Entry]:
        if ended.error and self._views[run.id].end is None:
            yield lost(run, self._views[run.id], ended.error)

    def lose(self, run: Run, reason: str, *, is_retried: bool) -> Iterator[Entry]:
        if is_retried:
            self.train(run)
        else:
            yield lost(run, self._views[run.id], reason)
