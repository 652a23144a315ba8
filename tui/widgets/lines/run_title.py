"""What stands above a run: its status, its name and what decides it, and the error that ended it."""

from __future__ import annotations

from textual.content import Content

from core.dataset_names import name_of
from core.events import RunFailed
from experiments.runs.row import Status
from tui.live.follow import READING, Follower
from tui.live.forms.advice import as_sentence, for_interface
from tui.live.task import in_a_sentence
from tui.text.keys import with_keys
from tui.text.wording import arch_in_short, what_failed

STATUS_SIGNS = {
    Status.RUNNING: ("● running", "$text-success"),
    Status.FINISHED: ("✓ finished", "$text-primary"),
    Status.STOPPED: ("■ stopped", "$text-warning"),
    Status.FAILED: ("✗ failed", "$text-error"),
    Status.CRASHED: ("✗ crashed", "$text-error"),
}
OTHER_SIGNS = {"deleted": ("✗ deleted", "$text-error"), READING: ("… reading", "$text-muted")}


def title_of(follower: Follower, place: str = "") -> Content:
    """Status, name and what decides the run; `place` is its place among those that were started together."""
    config, started = follower.config, follower.view.started
    name = follower.meta.name or follower.run.id
    seed, lr, batch = config.get("seed", "-"), config.get("lr", "-"), config.get("batch_size", "-")
    arch = str(config.get("arch", "?"))
    facts = [
        arch_in_short(arch),
        f"{started.total_params:,} params" if started else "",
        started.dataset if started else name_of(str(config.get("dataset", "?"))),
    ]
    lr = f"{lr:.4g}" if isinstance(lr, float) else lr  # one that a sweep proposed has 17 digits
    facts += [f"seed {seed} ({place})" if place else f"seed {seed}", f"lr {lr}", f"batch {batch}"]
    facts.append(started.device if started else "")
    sign, style = OTHER_SIGNS.get(follower.standing) or STATUS_SIGNS[follower.status]
    rest = "  ".join(fact for fact in facts if fact)
    return Content.assemble((sign, f"bold {style}"), ("  " + name, "bold"), "  ", rest)


def notice_of(follower: Follower, failed: RunFailed | None = None) -> str:
    """The error of a run, for a strip of its own; empty when there is none. `failed` is an end that the log may not
    have, because there was no room for it.
    """
    return "\n".join(words for words in (_trouble(follower, failed), _damage(follower)) if words)


def _trouble(follower: Follower, failed: RunFailed | None) -> str:
    if follower.deleted:
        return "The run's folder has been deleted. What was read of it is still shown."
    if follower.unreadable is not None:
        return in_a_sentence(follower.unreadable)
    crashed = follower.status is Status.CRASHED
    match follower.view.end or (failed if crashed else None):
        case RunFailed() as end:
            advice = as_sentence(for_interface(end.advice))
            return f"Failed in epoch {end.epoch}: {what_failed(end)}. {advice}"
        case None if crashed:
            return with_keys("The process that trained this run has died. {continue} goes on from the last checkpoint.")
        case _:
            return ""


def _damage(follower: Follower) -> str:
    match follower.damaged:
        case 0:
            return ""
        case 1:
            return "1 line of this run's log is damaged and was skipped."
        case count:
            return f"{count:,} lines of this run's log are damaged and were skipped."
