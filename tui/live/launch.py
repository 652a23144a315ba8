"""Starting this program again, as another process."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from experiments.execution.apart import make_all_new
from experiments.execution.detach import start_detached
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Run, RunSpec
from experiments.runs.own_code import kept_code, lasting_arch
from experiments.runs.row import Status

if TYPE_CHECKING:
    from tui.live.session import Job


@contextmanager
def runs_to_hand_over(runner: Runner, specs: Sequence[RunSpec]) -> Iterator[list[Run]]:
    """Makes the folders of runs, of all or of none; when the block fails none of them is left behind."""
    made = make_all_new(runner, specs)
    try:
        yield made
    except BaseException:
        for run in made:
            run.release()
            runner.store.remove(run)
        raise


def resume_all_detached(reference: str, runs: Sequence[Run], locations: Locations, *options: str) -> int:
    """Let a process that outlives this one go on with runs, one after the other; returns its id.

    `reference`, the id of a run or a group, stands for all of them. A module of the user's own is named for him, who
    has asked for it, unless the options name it.
    """
    if "--arch" not in options and (arch := lasting_arch(runs[0])) is not None:
        options = ("--arch", arch, *options)
    return start_detached(runs, own_command(locations, "resume", reference, "--quiet", *options))


def hand_over(job: Job, locations: Locations) -> str:
    """Let one detached process train, in turn, the runs of a stopped job that have not finished, those that have not
    begun among them.

    Returns the id of the group or run that goes on, empty when the job has done all it was for.

    Raises:
        LabError: when that cannot be; the runs that were stopped are as they were, and no other is left behind.
    """
    runner = Runner(locations)
    begun = [runner.store.run(run_id) for run_id in (*job.run_ids, *job.left_ids)]
    left = [run for run in [*begun, *job.waiting_resumed] if run.row().ended != Status.FINISHED]
    code = kept_code(begun[0]) if begun else None  # seeds of a group train the same code
    waiting = [] if job.left_ids else job.waiting  # a run alone, and runs of a group that it had not come to record
    specs = [spec if code is None else replace(spec, files=code) for spec in waiting]
    with runs_to_hand_over(runner, specs) as made:
        left += made
        if not left:
            return ""
        reference = left[0].meta().group_id if len(left) > 1 else job.group_id
        resume_all_detached(reference or left[0].id, left, locations)
    return reference or left[0].id


def sweep_detached(name: str, locations: Locations, *options: str) -> int:
    """Let a process that outlives this one drive a study, as `mnist-tui sweep` does; returns its id.

    Raises:
        InvalidValue: while another process drives the study.
        StorageError: when the process cannot be started.
    """
    from experiments.studies.folder import StudyFolder
    from experiments.studies.process import start_sweep_detached

    study = StudyFolder.of(locations.home, name)
    return start_sweep_detached(study, own_command(locations, "sweep", "--study", name, *options))


def own_command(locations: Locations, *words: str) -> tuple[str, ...]:
    """The command line of this program, on the same folders."""
    folders = ("--home", str(locations.home), "--data-dir", str(locations.data))
    return (sys.executable, "-m", "tui", *folders, *words)
