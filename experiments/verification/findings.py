"""Findings of a verification: what was compared, where it is stored, and whether it agrees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: `where` in the run's folder something is `stored`, and what was `found` to be so.

    `agrees` is None for what could not be looked at; `found` then says why.
    """

    item: str
    where: str
    agrees: bool | None
    stored: str
    found: str


def compare(item: str, where: str, stored: object, found: object) -> Check:
    """Whether two values are the same, floats up to the rounding of their last digits."""
    same = stored == found
    if isinstance(stored, float) and isinstance(found, float):
        same = math.isclose(stored, found, rel_tol=1e-12, abs_tol=1e-12)
    return Check(item, where, same, in_words(stored), in_words(found))


def compare_sums(of: str, where: str, stored: object, found: object) -> Check:
    """Whether two SHA-256 sums are the same; their beginnings tell them apart."""
    words = [in_words(value)[:16] for value in (stored, found)]
    return Check(f"SHA-256 of {of}", where, stored == found, *words)


def summed_up(item: str, where: str, what: str, checks: Iterable[Check]) -> Sequence[Check]:
    """Those checks that do not agree; where all do, one that says so of `what`."""
    differing = [check for check in checks if not check.agrees]
    return differing or [Check(item, where, True, what, "the same")]


def missing(item: str, where: str, reason: str) -> Check:
    """Something that should be there and is not, or is damaged."""
    return Check(item, where, False, "-", reason)


def not_checked(item: str, where: str, reason: str) -> Check:
    return Check(item, where, None, "-", reason)


def in_words(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
