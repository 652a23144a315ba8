"""Trains runs that belong together: as one network on a GPU, side by side in a process a core, or in turn.

Whichever way, each run has its own folder, log, weights and checkpoint, as if it had been trained alone.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.advice import Action, Advice, Step
from core.config import TrainConfig
from core.errors import Stopped
from core.events import RunFailed, RunStopped
from core.models.network import summarize_config
from experiments.execution.executor import MAX_DEATHS, POLL, STOP_PATIENCE, Ended, Executor
from experiments.execution.local_executor import LocalExecutor, local_slots
from experiments.execution.runner import Runner
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Run, RunSpec

if TYPE_CHECKING:
    import torch

Way = Literal["grouped", "processes", "in turn"]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How runs are trained, `size` of them at a time. `words` says so to people; empty where nothing is special."""

    way: Way
    size: int = 1
    words: str = ""


IN_TURN = TrainingPlan("in turn")


def plan_runs(runner: Runner, planned: Sequence[RunSpec], jobs: int | None = None) -> TrainingPlan:
    """The way in which these runs are trained soonest. Imports torch.

    Args:
        jobs: how many to train at a time; with 1 each has all of the machine.

    Raises:
        InvalidValue, OverBudget, StorageError: when the runs cannot be trained here.
    """
    runner.check(planned[0].config)
    from core.device.device import pick_device

    configs = [spec.config for spec in planned]
    device = pick_device(configs[0].device)
    if len(configs) == 1 or jobs == 1:
        return IN_TURN
    if device.type == "cuda":
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

    if reason := grouping_obstacle(configs):
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


def replicate(runner: Runner, planned: Sequence[RunSpec], plan: TrainingPlan) -> Iterator[Entry]:
    """Train runs as planned, yielding each event of each of them once it is in its log.

    A run that fails does so alone. One that somebody stops does too, but none is begun after that. The runner's own
    reason to stop ends all of them with checkpoints.

    Raises:
        LabError: before the first event, when the runs cannot be started.
    """
    runner.check(planned[0].config)
    for spec in planned:
        summarize_config(spec.config)
    parts: Iterator[Iterator[Entry]]
    match plan.way:
        case "in turn":
            parts = (runner.run(spec.config, spec.meta) for spec in planned)
        case "grouped":
            from experiments.execution.grouped_runs import train_group

            parts = (train_group(runner, planned[at : at + plan.size]) for at in range(0, len(planned), plan.size))
        case "processes":
            # Fetched once, and what is wrong with it is known before any run is made.
            runner.load_dataset(planned[0].config)
            executor = LocalExecutor(runner.locations, local_slots("cpu", plan.size, None))
            parts = iter([_in_processes(runner, planned, executor)])
    for part in parts:
        stopped = False
        for entry in part:
            stopped = stopped or isinstance(entry.event, RunStopped)
            yield entry
        if stopped:
            return


def _in_processes(runner: Runner, planned: Sequence[RunSpec], executor: Executor) -> Iterator[Entry]:
    """Each run is made when a process is free for it, and followed by its log; killed, it goes on in another one."""
    waiting = list(planned)
    deaths: Counter[str] = Counter()
    live: dict[str, tuple[Run, EventReader]] = {}
    stopping, deadline = "", math.inf
    try:
        Stopped.check(runner.should_stop)
        while (waiting or live) and time.monotonic() < deadline:
            if not stopping and (stopping := runner.should_stop()):
                executor.stop(stopping)
                deadline = time.monotonic() + STOP_PATIENCE
                waiting.clear()
            while waiting and executor.has_room():
                spec = waiting.pop(0)
                run = runner.create(spec.config, spec.meta)
                live[run.id] = run, EventReader(run.log)
                executor.start(run)
            ended = {end.run_id: end for end in executor.wait(POLL)}
            for run_id, (run, reader) in list(live.items()):
                for entry in reader.poll():
                    if isinstance(entry.event, RunStopped):
                        waiting.clear()
                    yield entry
                if (end := ended.get(run_id)) is None:
                    continue
                deaths[run_id] += bool(end.worker_died)
                if end.worker_died and not stopping and deaths[run_id] < MAX_DEATHS and run.view().end is None:
                    executor.start(run)
                    continue
                del live[run_id]
                yield from _settle(run, end)
    finally:
        executor.close()


def _settle(run: Run, end: Ended) -> Iterator[Entry]:
    """What is left to say of a run whose process is done with it: that it died, where the log does not have an end."""
    reason = end.error or end.worker_died
    if not reason or run.view().end is not None:
        return
    with run.open_log() as log:
        epochs = run.view().epochs
        epoch = epochs[-1].epoch if epochs else 0
        advice = Advice("go on with it: ", Step(Action.RESUME, run.id))
        yield log.append(RunFailed(epoch=epoch, error=reason, advice=advice))
    run.release()
