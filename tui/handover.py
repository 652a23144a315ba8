"""What the interface's own session leaves undone, given to a process that outlives the terminal."""

from __future__ import annotations

from core.arch import is_user_module
from experiments.locations import Locations
from experiments.row import Status
from experiments.run import Run
from experiments.runner import Runner
from tui.launch import resume_all_detached
from tui.session import Job, NewRun


def hand_over(job: Job, locations: Locations) -> str:
    """Let one detached process train, in turn, the run that a stopped job was at and all those it had not come to.

    Returns the id of the group or run that goes on, empty when the job has done all it was for.

    Raises:
        LabError: when that cannot be; the run that was stopped is as it was, and no other is left behind.
    """
    runner = Runner(locations)
    made: list[Run] = []
    left = [run] if (run := _begun(job, runner)) is not None else []
    try:
        for plan in job.plans[len(job.run_ids) :]:
            if isinstance(plan, NewRun):
                made.append(runner.create(plan.config, plan.meta))
                left.append(made[-1])
            else:
                left.append(plan.run)
        if not left:
            return ""
        reference = job.group_id or left[0].id
        arch = str(left[0].config().get("arch", ""))
        resume_all_detached(reference, left, locations, *(["--arch", arch] if is_user_module(arch) else []))
    except BaseException:
        for run in made:
            run.release()
            runner.store.remove(run)
        raise
    return reference


def _begun(job: Job, runner: Runner) -> Run | None:
    """The run that the job was at; None when it has finished, or when no run of the job has begun."""
    run = runner.store.run(job.run_id) if job.run_id else None
    return run if run is not None and run.row().ended != Status.FINISHED else None
