"""What the interface's own session leaves undone, given to a process that outlives the terminal."""

from __future__ import annotations

from core.models.spec import is_user_module
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.row import Status
from tui.live.launch import resume_all_detached, runs_to_hand_over
from tui.live.session import Job, NewRun


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
