"""How a job of the interface's own ended, for a toast."""

from __future__ import annotations

from typing import Literal

from experiments.runs.row import Status
from experiments.runs.seeds import seeds_text
from tui.live.advice import for_interface
from tui.live.follow import Follower
from tui.live.session import Job
from tui.text.output import percent

Outcome = tuple[str, str, Literal["information", "warning", "error"]]
"""Title, text, severity."""


def outcome(job: Job, follower: Follower | None, log_path: str) -> Outcome:
    """Put a job's end into words. `follower` has read the log of its last run, where it came to one."""
    title, text, severity = _ending(job, follower, log_path)
    if dropped := _not_begun(job):
        return (title, f"{text}\n{dropped}", "warning" if severity == "information" else severity)
    return (title, text, severity)


def _not_begun(job: Job) -> str:
    """The seeds that the job has not come to, and how they can be trained all the same; empty where there are none."""
    seeds = job.waiting_seeds if len(job.plans) > 1 else []
    if not seeds:
        return ""
    several = len(seeds) > 1
    span = seeds_text(seeds)
    words = f"Seed{'s' * several} {span} {'were' if several else 'was'} not begun"
    if not job.run_ids:  # the group has no run that could be added to
        return f"{words}."
    return f"{words}. In a shell: mnist-tui run --group {job.group_id} --seeds {span}"


def _ending(job: Job, follower: Follower | None, log_path: str) -> Outcome:
    if job.defect:
        last = job.defect.strip().splitlines()[-1]
        return ("Failed", f"{last}\nThis is a defect; {log_path} has the details.", "error")
    if job.failure is not None:
        title = "Failed" if job.run_id else "Cannot start"
        return (title, f"{job.failure.message}\n{for_interface(job.failure.advice)}", "error")
    if follower is None:
        return ("Stopped", "before a run had begun", "information")
    view, status = follower.view, follower.status
    words = f", best {percent(view.best_test_accuracy)}" if view.best_test_accuracy is not None else ""
    if job.failed is not None:
        status = Status.FAILED
        words += f": {job.failed.error}"
    failed = status in (Status.FAILED, Status.CRASHED)
    return (str(status).capitalize(), follower.title + words, "error" if failed else "information")
