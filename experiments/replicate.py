"""Trains runs that belong together: as one network on a GPU, side by side in a process a core, or in turn.

Whichever way, each run has its own folder, log, weights and checkpoint, as if it had been trained alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.config import TrainConfig
from core.errors import Stopped
from core.events import RunFailed, RunStopped
from core.network import summarize_config
from experiments.eventlog import Entry, EventReader
from experiments.executors import Ended, Executor, LocalExecutor, local_slots
from experiments.run import Meta, Run
from experiments.runner import Runner

if TYPE_CHECKING:
    import torch

Way = Literal["grouped", "processes", "in turn"]
Planned = tuple[TrainConfig, Meta]

POLL = 0.1
"""Seconds between two looks at what the processes' runs have done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How runs are trained, `size` of them at a time. `words` says so to people; empty where nothing is special."""

    way: Way
    size: int = 1
    words: str = ""


IN_TURN = Plan("in turn")


def plan_runs(runner: Runner, planned: Sequence[Planned], jobs: int | None = None) -> Plan:
    """The way in which these runs are trained soonest. Imports torch.

    Args:
        jobs: how many to train at a time; with 1 each has all of the machine.

    Raises:
        InvalidValue, OverBudget, StorageError: when the runs cannot be trained here.
    """
    runner.check(planned[0][0])
    from core.device import pick_device

    configs = [config for config, _ in planned]
    device = pick_device(configs[0].device)
    if len(configs) == 1 or jobs == 1:
        return IN_TURN
    if device.type == "cuda":
        return _plan_groups(runner, configs, device, jobs)
    slots = local_slots(device.type, min(jobs or len(configs), len(configs), len(local_slots("cpu", None, None))), None)
    if device.type == "cpu" and len(slots) > 1:
        return Plan("processes", len(slots), f"{len(configs)} runs, {len(slots)} at a time, of one thread each")
    return IN_TURN


def _plan_groups(runner: Runner, configs: Sequence[TrainConfig], device: torch.device, jobs: int | None) -> Plan:
    """On a GPU: as few groups as fit into what is free of its memory, of equal size."""
    from core.grouped import why_apart

    if reason := why_apart(configs):
        return Plan("in turn", words=f"{len(configs)} runs, one after the other, because {reason}")
    import torch

    from core.device import describe_device
    from core.grouped_memory import bytes_per_copy, copies_that_fit

    free, _ = torch.cuda.mem_get_info(device)
    dataset = runner.load_dataset(configs[0])
    fitting = copies_that_fit(free, bytes_per_copy(configs[0], dataset))
    size = min(fitting, jobs or fitting)
    groups = -(-len(configs) // size)
    size = -(-len(configs) // groups)
    room = f"{fitting:,} would fit into the {free / 1e9:.1f} GB free on {describe_device(device)}"
    together = "as one network" if groups == 1 else f"as {groups} networks of up to {size} copies"
    return Plan("grouped", size, f"{len(configs)} runs {together}; {room}") if size > 1 else IN_TURN


def replicate(runner: Runner, planned: Sequence[Planned], plan: Plan) -> Iterator[Entry]:
    """Train runs as planned, yielding each event of each of them once it is in its log.

    A run that fails does so alone. One that somebody stops does too, but none is begun after that. The runner's own
    reason to stop ends all of them with checkpoints.

    Raises:
        LabError: before the first event, when the runs cannot be started.
    """
    runner.check(planned[0][0])
    for config, _ in planned:
        summarize_config(config)
    parts: Iterator[Iterator[Entry]]
    match plan.way:
        case "in turn":
            parts = (runner.run(config, meta) for config, meta in planned)
        case "grouped":
            from experiments.grouped_runs import train_group

            parts = (train_group(runner, planned[at : at + plan.size]) for at in range(0, len(planned), plan.size))
        case "processes":
            # Fetched once, and what is wrong with it is known before any run is made.
            runner.load_dataset(planned[0][0])
            executor = LocalExecutor(runner.locations, local_slots("cpu", plan.size, None))
            parts = iter([_in_processes(runner, planned, executor)])
    for part in parts:
        stopped = False
        for entry in part:
            stopped = stopped or isinstance(entry.event, RunStopped)
            yield entry
        if stopped:
            return


def _in_processes(runner: Runner, planned: Sequence[Planned], executor: Executor) -> Iterator[Entry]:
    """Each run is made when a process is free for it, and followed by its log."""
    waiting = list(planned)
    live: dict[str, tuple[Run, EventReader]] = {}
    stopping = ""
    try:
        Stopped.check(runner.should_stop)
        while waiting or live:
            if not stopping and (stopping := runner.should_stop()):
                executor.stop(stopping)
                waiting.clear()
            while waiting and executor.has_room():
                run = runner.create(*waiting.pop(0))
                live[run.id] = run, EventReader(run.log)
                executor.start(run)
            ended = {end.run_id: end for end in executor.wait(POLL)}
            for run_id, (run, reader) in list(live.items()):
                for entry in reader.poll():
                    if isinstance(entry.event, RunStopped):
                        waiting.clear()
                    yield entry
                if run_id in ended:
                    del live[run_id]
                    yield from _settle(run, ended[run_id])
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
        yield log.append(RunFailed(epoch=epoch, error=reason, hint=f"go on with it: mnist-tui resume {run.id}"))
    run.release()
