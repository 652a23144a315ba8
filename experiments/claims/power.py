"""What the seeds of a claim could have found, and how many would tell where they did not.

A difference of means: the one that a t test at this level finds in four cases of five, and the seeds with which that
would be the difference that was measured (Cohen, Statistical Power Analysis, 1988, by the noncentral t distribution). A
share: the runs after which Wilson's interval about the share that was measured leaves out one half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import Any

from experiments.claims.rules import (
    TARGET,
    UNTUNED,
    WITH_DROPOUT,
    Claim,
    ClaimFinding,
    Groups,
    fluctuations,
    reached_by,
)
from experiments.statistics.descriptive import Share, share_of
from experiments.statistics.significance import ALPHA, MOST_SEEDS, detectable, seeds_needed

REACHING = {1: ("conv9", TARGET), 2: ("conv5", 99.43)}
"""The claims about the share of an arm's runs that reach an accuracy, in percent."""


def power_of(claim: Claim, finding: ClaimFinding, groups: Groups) -> dict[str, Any]:
    """JSON-ready, empty for a claim of another kind. Differences are fractions.

    `differences` has for each comparison the `found` one, what was `detectable`, and the `seeds_needed` of each arm for
    the one found, None where more than 10,000 are; `runs_needed` is that of a share. `words` says it where nothing else
    was told.
    """
    if claim.number in REACHING:
        arm, percent = REACHING[claim.number]
        found = _of_share(reached_by(groups[arm], percent))
    elif claim.number == 4:
        plain = fluctuations(groups["conv9"])
        found = _of_differences({arm: (fluctuations(groups[arm]), plain) for arm in WITH_DROPOUT})
    elif claim.number == 6:
        best = groups["conv9"].scores("best")
        found = _of_differences({arm: (best, groups[arm].scores("best")) for arm in UNTUNED})
    else:
        return {}
    return found | {"words": _in_words(found) if finding.verdict == "cannot tell" else ""}


def runs_for_share(share: Share) -> int | None:
    """The fewest runs after which the interval of such a share leaves out one half; None for one half itself, or when
    more than `MOST_SEEDS` are."""
    if share.share is None or share.share == 0.5:
        return None
    for n in range(max(share.n, 1), MOST_SEEDS + 1):
        expected = share_of(round(share.share * n), n)
        if expected.low is not None and expected.high is not None and not expected.low <= 0.5 <= expected.high:
            return n
    return None


def _of_share(share: Share) -> dict[str, Any]:
    return {"runs": share.n, "runs_needed": runs_for_share(share)}


def _of_differences(pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> dict[str, Any]:
    """Each difference at the level that is its share of `ALPHA`, as Holm's strictest step has it."""
    alpha = ALPHA / len(pairs)
    found: dict[str, Any] = {}
    for arm, (first, second) in pairs.items():
        if min(len(first), len(second)) < 2:
            continue
        sds = stdev(first), stdev(second)
        difference = sum(first) / len(first) - sum(second) / len(second)
        found[arm] = {
            "found": difference,
            "detectable": detectable(min(len(first), len(second)), sds, alpha),
            "seeds_needed": seeds_needed(difference, sds, alpha) if difference else None,
        }
    return {"differences": found}


def _in_words(found: Mapping[str, Any]) -> str:
    if "differences" in found:
        parts = []
        for arm, one in found["differences"].items():
            if one["detectable"] is None:
                continue
            seeds = f"{one['seeds_needed']:,} seeds" if one["seeds_needed"] else f"over {MOST_SEEDS:,} seeds"
            size = f"{100 * one['detectable']:.3f} points could be found (80%)"
            parts.append(f"{arm}: {size}, {100 * abs(one['found']):.3f} need {seeds}")
        return "; ".join(parts)
    needed = found["runs_needed"]
    if found["runs"] == 0:
        return ""
    return f"{needed:,} runs with this share would tell" if needed else "no number of runs with this share would tell"
