"""How a job of the interface's own ended, for a toast."""

from __future__ import annotations

from typing import Literal

from experiments.row import Status
from tui.follow import Follower
from tui.output import percent
from tui.session import Job
from tui.wording import in_own_terms

Outcome = tuple[str, str, Literal["information", "warning", "error"]]
"""Title, text, severity."""


def outcome(job: Job, follower: Follower | None, log_path: str) -> Outcome:
    """Put a job's end into words. `follower` has read the log of its last run, where it came to one."""
    if job.defect:
        last = job.defect.strip().splitlines()[-1]
        return ("Failed", f"{last}\nThis is a defect; {log_path} has the details.", "error")
    if job.failure is not None:
        title = "Failed" if job.run_id else "Cannot start"
        return (title, f"{job.failure.message}\n{in_own_terms(job.failure.hint)}", "error")
    if follower is None:
        return ("Stopped", "before a run had begun", "information")
    view, status = follower.view, follower.status
    words = f", best {percent(view.best_test_accuracy)}" if view.best_test_accuracy is not None else ""
    if job.failed is not None:
        status = Status.FAILED
        words += f": {job.failed.error}"
    failed = status in (Status.FAILED, Status.CRASHED)
    return (str(status).capitalize(), follower.title + words, "error" if failed else "information")
