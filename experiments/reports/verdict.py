"""The verdict on the parts of a report, as `compare` gives it, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import LabError
from experiments.results.compare import compare
from experiments.runs.store import Store


@dataclass(frozen=True, slots=True)
class Judged:
    """What a comparison came to, and what it does not cover."""

    words: str
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`note` is on all findings together, and may be empty. Where there is an `obstacle`, there are no findings."""

    note: str = ""
    findings: Sequence[Judged] = ()
    obstacle: str = ""


def verdict_on(store: Store, ids: Sequence[str]) -> Verdict | None:
    """Each against the first; None for fewer than two."""
    if len(ids) < 2:
        return None
    try:
        report = compare(store, ids)
    except LabError as error:
        return Verdict(obstacle=_sentence(error.message))
    findings = []
    for comparison in report.comparisons:
        notes = list(comparison.notes)
        if comparison.disagreements is not None:
            ours, theirs = comparison.disagreements
            first, second = comparison.first.label, comparison.second.label
            notes.insert(0, f"test images that only {first} gets right: {ours}, only {second}: {theirs}")
        findings.append(Judged(_sentence(comparison.in_words()), [_sentence(note) for note in notes]))
    return Verdict(_sentence(report.note) if report.note else "", findings)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
