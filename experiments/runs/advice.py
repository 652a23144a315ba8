"""What to do about runs that have not what is asked of them because they have not finished."""

from __future__ import annotations

from collections.abc import Iterable

from core.advice import Action, Advice, Step
from core.events import EndEvent, RunFailed


def how_to_finish(reference: str, ends: Iterable[EndEvent | None]) -> Advice:
    """Advice on a run, or on all runs of a group, none of which is live: to go on with it, unless that would fail as it
    has failed before."""
    ends = tuple(ends)
    failures = [end for end in ends if isinstance(end, RunFailed)]
    if failures and len(failures) == len(ends):
        failed = failures[0]
        return Advice(f"{failed.error}: ", *failed.advice.parts) if failed.advice else Advice(failed.error)
    return Advice(Step(Action.RESUME, reference), " trains it on")
