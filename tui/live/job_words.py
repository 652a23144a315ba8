"""A job of the interface's own in words: what is at stake when one stops or quits, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from core.events import RunFailed, RunFinished, RunStopped
from experiments.runs.row import Status
from experiments.runs.seeds import name_of_group, seeds_text
from tui.live.follow import Follower
from tui.live.forms.advice import for_interface
from tui.live.session import Job, Session
from tui.text.keys import key
from tui.text.output import percent
from tui.text.progress import why_ended

Outcome = tuple[str, str, Literal["information", "warning", "error"]]
"""Title, text, severity."""

_KINDS = {RunFinished: "finished", RunStopped: "stopped", RunFailed: "failed"}


def waiting_seeds(job: Job) -> str:
    """The seeds of a group that have not begun, or gone on, as ``seeds 3 and 4``; empty for a run alone."""
    seeds = [spec.config.seed for spec in job.waiting] + [run.config().get("seed", 0) for run in job.waiting_resumed]
    return seeds_in_words(sorted(seeds)) if job.size > 1 else ""


def seeds_in_words(seeds: Sequence[int]) -> str:
    """``seed 3``, ``seeds 3, 4 and 5``, ``seeds 3 to 12``, ``seeds 0-9,20-29``; empty where there are none."""
    words = [str(seed) for seed in seeds]
    if len(words) > 5:
        in_a_row = seeds[-1] - seeds[0] == len(seeds) - 1
        return f"seeds {words[0]} to {words[-1]}" if in_a_row else f"seeds {seeds_text(seeds)}"
    if len(words) > 1:
        return f"seeds {', '.join(words[:-1])} and {words[-1]}"
    return f"seed {words[0]}" if words else ""


def names_in_words(names: Sequence[str]) -> str:
    """``try-0``, ``try-0 and try-1``, ``these 12 runs``."""
    if len(names) > 4:
        return f"these {len(names)} runs"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def what_is_trained(job: Job) -> str:
    live = len(job.live_ids)
    return f"{live} runs are being trained." if live > 1 else "A run is being trained."


def live_in_words(session: Session, own: Follower | None, waiting: int) -> str:
    """What is trained here, and how many wait in line, for the line at the top; the number first, as the rest may be
    cut off. `own` reads the log of the run that is shown."""
    job, words = session.job, ""
    if job is not None and session.live:
        words = session.stage or "training"
        if not session.stage and own is not None and own.view.started is not None:
            epoch = own.view.progress.epoch if own.view.progress else 1
            words = f"{own.title} epoch {epoch}/{own.view.config.get('epochs', '?')}"
            words += f", {live} live" if (live := len(job.live_ids)) > 1 else ""
        words = f"● {'stopping and saving' if job.stopping else words}"
    return f"{waiting} in line  {words}".rstrip() if waiting else words


def outcome(job: Job, follower: Follower | None, log_path: str) -> Outcome:
    """Put a job's end into words. `follower` has read the log of its last run, where it came to one."""
    title, text, severity = _ending(job, follower, log_path)
    if left := _left_out(job):
        return (title, f"{text}\n{left}", "warning" if severity == "information" else severity)
    return (title, text, severity)


def _left_out(job: Job) -> str:
    """The runs that the job has not come to, and how they can be trained all the same; empty where there are none."""
    if job.waiting_resumed and job.size > 1:
        return f"{len(job.waiting_resumed)} of {job.size} did not go on; {key('continue')} continues them."
    seeds = [spec.config.seed for spec in job.waiting] if job.size > 1 else []
    if not seeds:
        return ""
    several, span = len(seeds) > 1, seeds_text(seeds)
    words = f"Seed{'s' * several} {span} {'were' if several else 'was'} not begun"
    return (
        f"{words}; {key('continue')} in Runs goes on with {'them' if several else 'it'}."
        if job.left_ids
        else f"{words}."
    )


def _ending(job: Job, follower: Follower | None, log_path: str) -> Outcome:
    if job.defect:
        last = job.defect.strip().splitlines()[-1]
        return ("Failed", f"{last}\nThis is a defect; {log_path} has the details.", "error")
    if job.failure is not None:
        title = "Failed" if job.run_ids else "Cannot start"
        return (title, f"{job.failure.message}\n{for_interface(job.failure.advice)}", "error")
    if follower is None:
        return ("Stopped", "before a run had begun", "information")
    if len(job.ends) > 1:
        return _ending_of_several(job, follower)
    view, status = follower.view, follower.status
    words = f", best {percent(view.best_test_accuracy)}" if view.best_test_accuracy is not None else ""
    if (failed := job.failed(follower.run.id)) is not None:
        status = Status.FAILED
        words += f": {failed.error}"
    is_wrong = status in (Status.FAILED, Status.CRASHED)
    if why := why_ended(view):
        words += f"; it finished {why}"
    return (str(status).capitalize(), follower.title + words, "error" if is_wrong else "information")


def _ending_of_several(job: Job, follower: Follower) -> Outcome:
    """``try: 2 finished, 1 failed, best 99.20%: the loss is not finite``."""
    ends = list(job.ends.values())
    counts = Counter(_KINDS[type(end)] for end in ends)
    finished = [end for end in ends if isinstance(end, RunFinished)]
    scores = [end.best_test_accuracy for end in finished if end.best_test_accuracy is not None]
    errors = [end.error for end in ends if isinstance(end, RunFailed)]
    name = name_of_group(follower.title, follower.view.config.get("seed"))
    words = f"{name}: " + ", ".join(f"{counts[kind]} {kind}" for kind in _KINDS.values() if counts[kind])
    if scores:
        words += f", best {percent(max(scores))}"
    if errors:
        return ("Failed", f"{words}: {errors[0]}", "error")
    return ("Stopped" if counts["stopped"] else "Finished", words, "information")
