"""Putting runs in line, and seeing to it that a process works the line off."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from core.errors import InvalidValue
from experiments.execution.detach import start_detached, start_process
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.queue.line import Queue, QueueEntry
from experiments.queue.work import Drain, is_open, jobs_at_work
from experiments.runs.folder import Run, RunSpec
from experiments.runs.owner import Owner
from experiments.runs.store import Store
from tui.live.launch import own_command, runs_to_hand_over

STEP_ASIDE = 5.0
"""Seconds in which a process that works the line off may be about to end, and another one to take its place."""


def put_in_line(locations: Locations, specs: Sequence[RunSpec], by: str) -> QueueEntry:
    """Make the folders of runs, and put them at the end of the line; nobody works it off yet for that.

    Raises:
        LabError: when they cannot be trained or kept; nothing is left behind then.
    """
    with runs_to_hand_over(Runner(locations), specs) as made:
        return Queue.of(locations.home).add(made, by)


def put_in_line_again(
    locations: Locations, runs: Sequence[Run], by: str, options: Mapping[str, Any] = MappingProxyType({})
) -> QueueEntry:
    """Put runs that are there, and can be gone on with, at the end of the line.

    Args:
        options: `epochs`, `no_budget` and `arch`, as `Runner.resume` has them.

    Raises:
        LabError: when one cannot go on as asked, or is trained; nothing has changed then.
    """
    line, before, taken = Queue.of(locations.home), dict[str, str](), list[Run]()
    there = {run.id for entry in line.entries() for run in line.runs(entry) if is_open(entry, run)}
    for run in runs:
        if run.id in there:
            raise InvalidValue("run", run.id, "is in line already", hint="take it out first to ask for it anew")
    try:
        for run in runs:
            with run.open_log():  # which nobody else has then
                run.forget_stop()
                run.hand_over(Owner.this_process())
                taken.append(run)
                before[run.id] = run.view().updated_at
        return line.add(runs, by, before=before, **options)
    except BaseException:
        for run in taken:
            run.release()
        raise


def see_to_the_line(locations: Locations) -> bool:
    """Start a process that works the line off, where there is something in it and nobody does; whether one was.

    Raises:
        StorageError: when it cannot be started.
    """
    queue = Queue.of(locations.home)
    if not queue.entries() or queue.is_alive():
        return False

    def own(owner: Owner) -> None:
        with queue.changing():
            if not queue.is_alive():
                queue.hand_over(owner)
                for entry in queue.entries():
                    for run in queue.runs(entry):
                        if run.is_owned_here():  # this one made it, and may end before that one looks
                            run.hand_over(owner)

    start_process(queue.output, own_command(locations, "queue", "work"), own)
    return True


def work_off(locations: Locations, should_stop: object) -> None:
    """Work the line off in this process, after another one that is about to end.

    Raises:
        InvalidValue: while another process does so.
    """
    drain = Drain(Queue.of(locations.home), lambda entry, left: _begin(locations, entry, left))
    deadline = time.monotonic() + STEP_ASIDE
    while time.monotonic() < deadline:
        with suppress(InvalidValue):
            drain.run(should_stop)  # type: ignore[arg-type]  # a ShouldStop
            return
        time.sleep(0.1)
    drain.run(should_stop)  # type: ignore[arg-type]


def _begin(locations: Locations, entry: QueueEntry, left: Sequence[Run]) -> None:
    command = own_command(locations, "queue", "train", entry.id)
    if entry.gpu:
        command = ("env", f"CUDA_VISIBLE_DEVICES={entry.gpu}", *command)
    start_detached(left, command)


def jobs_ahead(locations: Locations) -> int:
    """The number of jobs in line, or trained on this machine in this home, behind which what is asked for now waits."""
    entries = Queue.of(locations.home).entries()
    return len(entries) + len(jobs_at_work(Store(locations.home), entries))
