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
from core.errors import Stopped
from core.events import RunStopped
from core.models.spec import is_user_module
from experiments.execution.apart import examine, train_new, train_on
from experiments.execution.executor import Ended, Executor
from experiments.execution.fleet import Fleet
from experiments.execution.local_executor import LocalExecutor, local_slots
from experiments.execution.runner import Runner
from experiments.execution.supervision import lost
from experiments.execution.together.recorded import Recorded, RecordedRun, ResumedRun, Task, config_of
from experiments.execution.worker import THREADS
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Run, RunSpec
from experiments.runs.own_code import own_arch
from experiments.runs.view import RunView, fold, reduce

if TYPE_CHECKING:
    import torch

Way = Literal["grouped", "processes", "in turn"]


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
    configs = [config_of(runner, task) for task in tasks]
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


def replicate(runner: Runner, tasks: Sequence[Task] | Recorded, plan: TrainingPlan) -> Iterator[Entry]:
    """Train runs as planned, yielding each event of each of them once it is in its log.

    A run that fails does so alone. One that somebody stops does too, but none is begun after that: those that wait are
    stopped. The runner's own reason to stop ends all of them with checkpoints.

    Raises:
        LabError: before the first event, when the runs cannot be started.
    """
    if isinstance(tasks, Recorded):
        yield from _replicate(tasks, plan)
    else:
        with Recorded(runner, tasks) as recorded:
            yield from _replicate(recorded, plan)


def _replicate(recorded: Recorded, plan: TrainingPlan) -> Iterator[Entry]:
    try:
        for part in _parts(recorded, plan):
            stopped = ""
            for entry in recorded.follow(part):
                if isinstance(entry.event, RunStopped) and not recorded.was_waiting(entry.run_id):
                    stopped = entry.event.reason
                yield entry
            if stopped:
                yield from recorded.stop_waiting(stopped)
                return
        yield from recorded.stopped()
    except Stopped as stop:
        if not any(isinstance(task, RecordedRun) for task in recorded.tasks):
            raise
        yield from recorded.stop_waiting(stop.message)


def _parts(recorded: Recorded, plan: TrainingPlan) -> Iterator[Iterator[Entry]]:
    """What is trained one after the other."""
    runner, tasks = recorded.runner, recorded.tasks
    match plan.way:
        case "in turn":
            return (_alone(runner, task) for task in tasks if recorded.begin(task))
        case "grouped":
            return (_as_one(recorded, tasks[at : at + plan.size]) for at in range(0, len(tasks), plan.size))
        case "processes":
            # Fetched once, and what is wrong with it is known before any run is trained.
            config = config_of(runner, tasks[0])
            runner.load_dataset(config)
            Stopped.check(runner.should_stop)
            if is_user_module(config.arch) and not isinstance(tasks[0], ResumedRun):
                found = examine(config, runner.should_stop, runner, runner.first_read.of(config))
                runner.first_read.keep(config, found.source)
            executor = LocalExecutor(runner.locations, local_slots("cpu", plan.size, None))
            return iter([_SideBySide(recorded, executor).drive(runner.should_stop)])


def _alone(runner: Runner, task: Task) -> Iterator[Entry]:
    match task:
        case RunSpec():
            return train_new(runner, task)
        case RecordedRun():
            return train_on(runner, task.run, arch=own_arch(task.run))  # who gave the order has named the code
        case ResumedRun():
            return train_on(runner, task.run, **task.how)


def _as_one(recorded: Recorded, tasks: Sequence[Task]) -> Iterator[Entry]:
    from experiments.execution.grouped_runs import train_group

    made = [task for task in tasks if isinstance(task, RecordedRun)]
    assert len(made) == len(tasks), "a group begins together"
    begun = [task for task in made if recorded.begin(task)]
    if not begun:
        return iter(())
    return train_group(recorded.runner, [task.spec for task in begun], [task.run for task in begun])


class _SideBySide(Fleet[Entry]):
    """Runs in processes, each followed by its log."""

    def __init__(self, recorded: Recorded, executor: Executor) -> None:
        super().__init__(executor)
        self._recorded = recorded
        self._waiting = deque(recorded.tasks)
        self._logs: dict[str, EventReader] = {}
        self._views: dict[str, RunView] = {}

    def prepare(self) -> None:
        """Say of each run that waits how it would be trained here, for whoever goes on with it elsewhere."""
        from core.engines.engine import BY_BATCH

        order = {"threads": THREADS, **BY_BATCH}  # of the engines whose sums depend on threads, and of the others
        for task in self._waiting:
            if isinstance(task, RecordedRun):
                task.run.set_environment({**task.run.environment(), **order})

    def has_more(self) -> bool:
        return bool(self._waiting)

    def begin(self) -> Iterable[Entry] | None:
        if not self._waiting:
            return None
        task = self._waiting.popleft()
        if not self._recorded.begin(task):
            return ()
        assert not isinstance(task, RunSpec), "one alone has no processes beside it"
        run = task.run
        if isinstance(task, ResumedRun):
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
