"""What to do about runs that have not what is asked of them because they have not finished."""

from __future__ import annotations

from collections.abc import Iterable

from core.events import EndEvent, RunFailed


def how_to_finish(reference: str, ends: Iterable[EndEvent | None]) -> str:
    """Advice on a run, or on all runs of a group, none of which is live: to go on with it, unless that would fail as it
    has failed before."""
    ends = tuple(ends)
    failures = [end for end in ends if isinstance(end, RunFailed)]
    if failures and len(failures) == len(ends):
        return ": ".join(filter(None, (failures[0].error, failures[0].hint)))
    return f"mnist-tui resume {reference} trains it on"
