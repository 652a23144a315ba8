"""Starting this program again, as another process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from core.config import TrainConfig
from core.models.spec import is_user_module
from experiments.execution.detach import start_detached
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Meta, Run
from experiments.runs.row import Status
from experiments.studies.folder import StudyFolder
from experiments.studies.process import start_sweep_detached
from tui.live.session import Job, NewRun


@contextmanager
def runs_to_hand_over(runner: Runner) -> Iterator[Callable[[TrainConfig, Meta], Run]]:
    """Yields what makes a run's folder, to be called for each run; when the block fails none of them is left behind."""
    made: list[Run] = []

    def make(config: TrainConfig, meta: Meta) -> Run:
        made.append(runner.create(config, meta))
        return made[-1]

    try:
        yield make
    except BaseException:
        for run in made:
            run.release()
            runner.store.remove(run)
        raise


def resume_all_detached(reference: str, runs: Sequence[Run], locations: Locations, *options: str) -> int:
    """Let a process that outlives this one go on with runs, one after the other; returns its id.

    `reference`, the id of a run or a group, stands for all of them.
    """
    return start_detached(runs, _command(locations, "resume", reference, "--quiet", *options))


def hand_over(job: Job, locations: Locations) -> str:
    """Let one detached process train, in turn, the run that a stopped job was at and all those it had not come to.

    Returns the id of the group or run that goes on, empty when the job has done all it was for.

    Raises:
        LabError: when that cannot be; the run that was stopped is as it was, and no other is left behind.
    """
    runner = Runner(locations)
    left = [run] if (run := _begun(job, runner)) is not None else []
    with runs_to_hand_over(runner) as make:
        waiting = job.plans[len(job.run_ids) :]
        left += [make(plan.config, plan.meta) if isinstance(plan, NewRun) else plan.run for plan in waiting]
        if not left:
            return ""
        reference = job.group_id or left[0].id
        arch = str(left[0].config().get("arch", ""))
        resume_all_detached(reference, left, locations, *(["--arch", arch] if is_user_module(arch) else []))
    return reference


def _begun(job: Job, runner: Runner) -> Run | None:
    """The run that the job was at; None when it has finished, or when no run of the job has begun."""
    run = runner.store.run(job.run_id) if job.run_id else None
    return run if run is not None and run.row().ended != Status.FINISHED else None


def sweep_detached(name: str, locations: Locations, *options: str) -> int:
    """Let a process that outlives this one drive a study, as `mnist-tui sweep` does; returns its id.

    Raises:
        InvalidValue: while another process drives the study.
        StorageError: when the process cannot be started.
    """
    study = StudyFolder.of(locations.home, name)
    return start_sweep_detached(study, _command(locations, "sweep", "--study", name, *options))


def _command(locations: Locations, *words: str) -> tuple[str, ...]:
    folders = ("--home", str(locations.home), "--data-dir", str(locations.data))
    return (sys.executable, "-m", "tui", *folders, *words)
