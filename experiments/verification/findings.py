"""The findings of a verification: single comparisons between stored values and values worked out again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: the value `stored` at `where` in the run's folder against the value `found` by checking.

    `agrees` is None when nothing could be compared; `found` then says why.
    """

    item: str
    where: str
    agrees: bool | None
    stored: str
    found: str


def compare(item: str, where: str, stored: object, found: object) -> Check:
    """Compare two values for equality; floats may differ by rounding in their last digits."""
    same = stored == found
    if isinstance(stored, float) and isinstance(found, float):
        same = math.isclose(stored, found, rel_tol=1e-12, abs_tol=1e-12)
    return Check(item, where, same, in_words(stored), in_words(found))


def compare_sums(of: str, where: str, stored: object, found: object) -> Check:
    """Compare two SHA-256 sums; the check shows the first 16 digits of each."""
    words = [in_words(value)[:16] for value in (stored, found)]
    return Check(f"SHA-256 of {of}", where, stored == found, *words)


def summed_up(item: str, where: str, what: str, checks: Iterable[Check]) -> Sequence[Check]:
    """The checks that do not agree, or, when all agree, one check for all. `what` says what was compared."""
    differing = [check for check in checks if not check.agrees]
    return differing or [Check(item, where, True, what, "the same")]


def missing(item: str, where: str, reason: str) -> Check:
    """A failed check of something that is missing or damaged."""
    return Check(item, where, False, "-", reason)


def not_checked(item: str, where: str, reason: str) -> Check:
    """A check that could not be made, for this reason."""
    return Check(item, where, None, "-", reason)


def in_words(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
