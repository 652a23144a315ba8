"""Comparisons of runs and groups with the first of them: tests, intervals, and what they do not cover.

Two groups are compared by Welch's t test, two single runs by McNemar's exact test on the images that one of them gets
right and the other wrong, a single run and a group by the group's prediction interval.

Several comparisons share one chance of being wrong: each has an equal part of it, for its test and its interval alike
(Bonferroni; Dunn, Multiple Comparisons Among Means, Journal of the American Statistical Association 56, 1961). So all
intervals together hold in 95 of 100 cases, and one leaves out 0 exactly where its test finds a difference. Holm's tests
find a little more, but the intervals that go with them say hardly more of what was found than its sign (Strassburger
and Bretz, Statistics in Medicine 27, 2008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from core.advice import Action, Advice, Tip
from experiments.results.groups import ScoreKind
from experiments.results.subjects import (
    OTHERS,
    Incomparable,
    Subject,
    check_comparable,
    find_subject,
    with_unique_labels,
)
from experiments.runs.recipe import differing_fields
from experiments.runs.store import Store
from experiments.statistics.descriptive import Sample, describe
from experiments.statistics.significance import ALPHA, Difference, one_against_group, paired, seeds_needed, welch

Method = Literal["welch", "mcnemar", "prediction"]

SCOPE: Mapping[Method, str] = {
    "welch": "this covers the choice of seeds, on these test images",
    "mcnemar": "this covers the choice of test images and not that of the seed: another seed could reverse this; "
    "compare groups of several seeds to know which recipe is better",
    "prediction": "this holds the single run against what one more seed of the group could give, and takes for granted "
    "that its recipe varies as much",
}
"""Which uncertainty a comparison of two recipes covers and which it does not."""
OF_ONE_RECIPE: Mapping[Method, str] = {
    "welch": "both are of one recipe: what they differ by is chance, or comes from where they were trained",
    "mcnemar": "this covers the choice of test images and not that of the seed: these are two networks of one recipe",
    "prediction": "this compares the single run with what one more seed of the group could give; they are of one "
    "recipe",
}
"""The same for two results of one recipe."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of `first` with `second`, one of `tests` that are made at once.

    `difference` is in fractions, its interval of `level`, its `p` before any correction, `p_adjusted` after it. `seeds`
    is how many of each would show a true difference of the size found, None where that cannot be said. `disagreements`
    are the images that only the first and only the second gets right.
    """

    first: Subject
    second: Subject
    method: Method
    difference: Difference
    seeds: int | None = None
    disagreements: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    tests: int = 1

    @property
    def level(self) -> float:
        """The level of the interval, with which all the intervals hold at once at `LEVEL` or more."""
        return 1 - ALPHA / self.tests

    @property
    def p_adjusted(self) -> float | None:
        """The p value after the correction, to be compared with `ALPHA` however many comparisons there are."""
        return None if self.difference.p is None else min(1.0, self.tests * self.difference.p)

    @property
    def is_of_one_recipe(self) -> bool:
        return not differing_fields([self.first.config, self.second.config])

    @property
    def better(self) -> Subject | None:
        """The better of the two; None when the test does not find a difference."""
        if self.p_adjusted is None or self.p_adjusted >= ALPHA:
            return None
        return self.first if self.difference.value > 0 else self.second

    def in_words(self) -> str:
        """The verdict in a sentence."""
        sign = -1 if self.difference.value < 0 else 1
        points = 100 * sign * self.difference.value
        if self.better is not None:
            return f"{self.better.label} is better by {_points(points)} points ({self._evidence(sign)})"
        above, below = (self.first, self.second)[::sign]
        standing = f"{above.label} is {_points(points)} points above {below.label}"
        if points == 0:
            standing = f"{above.label} and {below.label} score the same"
        if self.difference.p is None:
            return f"cannot tell: {standing}, and {self._unknown_reason()}"
        advice = ""
        if self.seeds is not None:
            advice = f"; if that is the true difference, {self.seeds} seeds of each would show it in four cases of five"
            advice += ", the correction allowed for" if self.tests > 1 else ""
        elif self.method == "welch" and self.difference.value and not self.is_of_one_recipe:
            advice = "; if that is the true difference, more than 10,000 seeds of each would be needed to show it"
        return f"cannot tell: {standing} ({self._evidence(sign)}){advice}"

    def to_json(self) -> dict[str, Any]:
        return {
            "first": self.first.label,
            "second": self.second.label,
            "method": self.method,
            "difference": self.difference.value,
            "low": self.difference.low,
            "high": self.difference.high,
            "level": self.level,
            "p": self.difference.p,
            "p_adjusted": self.p_adjusted,
            "comparisons": self.tests,
            "verdict": "cannot tell" if self.better is None else "better" if self.better is self.first else "worse",
            "words": self.in_words(),
            "seeds_needed": self.seeds,
            "only_first_right": self.disagreements[0] if self.disagreements else None,
            "only_second_right": self.disagreements[1] if self.disagreements else None,
            "notes": list(self.notes),
        }

    def _evidence(self, sign: int) -> str:
        ends = sorted(100 * sign * end for end in (self.difference.low or 0.0, self.difference.high or 0.0))
        interval = f"{_level(self.level)} interval {_points(ends[0])} to {_points(ends[1])}"
        correction = f" corrected for {self.tests} comparisons" if self.tests > 1 else ""
        return f"{interval}, p {_p(self.p_adjusted)}{correction}"

    def _unknown_reason(self) -> str:
        if self.method == "mcnemar":
            return "one of them has no stored predictions"
        return "without a spread between seeds, chance and difference cannot be told apart"


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """All comparisons of one question."""

    score: ScoreKind
    subjects: tuple[Subject, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def note(self) -> str:
        """The correction for several comparisons, in words; empty where there is one."""
        one, tests = self.comparisons[0], len(self.comparisons)
        if tests == 1:
            return ""
        corrected = f"intervals are of {_level(one.level)}, so that all {tests} hold at once in 95 of 100 cases or more"
        return f"each is compared with {one.first.label}, the first; {corrected}, and p is times {tests} (Bonferroni)"

    def sample(self, subject: Subject) -> Sample:
        sample = subject.group.sample(self.score)
        assert sample is not None, "what has no score is not compared"
        return sample

    def config_differences(self) -> dict[str, list[Any]]:
        """The fields of the recipe in which the subjects differ, and each one's value."""
        configs = [subject.config for subject in self.subjects]
        return {field: [config.get(field) for config in configs] for field in differing_fields(configs)}

    def to_json(self) -> dict[str, Any]:
        """For programs. Accuracies and differences are fractions."""
        return {
            "score": f"{self.score}_test_accuracy",
            "subjects": [self._subject_json(subject) for subject in self.subjects],
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "config_differences": self.config_differences(),
        }

    def _subject_json(self, subject: Subject) -> dict[str, Any]:
        return {
            "label": subject.label,
            "id": subject.group.id,
            "is_group": subject.is_group,
            "run_ids": [member.run_id for member in subject.runs],
            "unfinished": [member.run_id for member in subject.group.unfinished],
            **asdict(self.sample(subject)),
            "reached_target": asdict(subject.group.reached()),
        }


def compare(store: Store, references: Sequence[str], score: ScoreKind = "final") -> ComparisonReport:
    """Compare runs and groups of a home, each with the first.

    Raises:
        InvalidValue: when a reference fits several.
        Incomparable: for fewer than two, for unfinished ones, and for what must not be compared.
        RunError: when there is no such run, or its files are damaged.
    """
    if len(references) < 2:
        reason = "a comparison needs two or more runs or groups"
        raise Incomparable("run", " ".join(references), reason, hint=OTHERS)
    if twice := [reference for reference in references if references.count(reference) > 1]:
        raise Incomparable("run", twice[0], f"{twice[0]} was named twice", hint=OTHERS)
    subjects = with_unique_labels([find_subject(store, reference) for reference in references])
    check_comparable(subjects, score)
    first, *others = subjects
    return ComparisonReport(
        score, subjects, tuple(_compare_pair(store, first, other, score, len(others)) for other in others)
    )


def _compare_pair(store: Store, first: Subject, second: Subject, score: ScoreKind, tests: int) -> Comparison:
    alpha = ALPHA / tests
    notes = [note for subject in (first, second) for note in _shortcomings(subject)]
    if same := len(_weights(first) & _weights(second)):
        runs = "" if max(len(first.runs), len(second.runs)) == 1 else f" {same} run{'s' * (same != 1)} of"
        notes.append(f"both have{runs} the same final weights, bit for bit: what is found twice is one result")
    if score == "best":
        notes.append("best accuracies are chosen by the test images themselves: both are optimistic")
    ours, theirs = (describe(subject.group.scores(score)) for subject in (first, second))
    if first.is_group and second.is_group:
        comparison = Comparison(first, second, "welch", welch(ours, theirs, alpha))
    elif first.is_group:
        comparison = Comparison(first, second, "prediction", _turned(one_against_group(theirs.mean, ours, alpha)))
    elif second.is_group:
        comparison = Comparison(first, second, "prediction", one_against_group(ours.mean, theirs, alpha))
    else:
        comparison = _compare_images(store, first, second, score, alpha)
    scope = OF_ONE_RECIPE if comparison.is_of_one_recipe else SCOPE
    notes = [*comparison.notes, *notes, scope[comparison.method]]
    return replace(comparison, tests=tests, seeds=_seeds(comparison, score, alpha), notes=tuple(notes))


def _compare_images(store: Store, first: Subject, second: Subject, score: ScoreKind, alpha: float) -> Comparison:
    """Two single runs, by what each makes of every test image."""
    if score == "best":
        reason = (
            "score must not be best for two single runs: no predictions are kept of an epoch chosen by the test images"
        )
        final, several = Tip(Action.SET, "score", "final"), Tip(Action.TRAIN_GROUP)
        hint = Advice(final, ", or compare groups of several seeds (", several, ")")
        raise Incomparable("score", score, reason, hint=hint)
    ends = [member.score(score) or 0.0 for member in (first.runs[0], second.runs[0])]
    here, there = (store.run(subject.runs[0].run_id).load_predictions() for subject in (first, second))
    if here is None or there is None:
        lacking = [subject.label for subject, one in ((first, here), (second, there)) if one is None]
        note = f"no predictions are stored for {', '.join(lacking)}: older versions kept none, bundles may lack them"
        return Comparison(first, second, "mcnemar", Difference(ends[0] - ends[1], None, None, None), notes=(note,))
    if here.labels.shape != there.labels.shape or (here.labels != there.labels).any():
        reason = f"{first.label} and {second.label} must be scored on the same test images, and their labels differ"
        hint = Advice(Tip(Action.VERIFY), " tells of each whether it was scored on the data that is here")
        raise Incomparable("run", second.label, reason, hint=hint)
    classes = [one.selected if score == "selected" and one.selected is not None else one.final for one in (here, there)]
    right = [one == here.labels for one in classes]
    only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    difference = paired(*only, len(here.labels), alpha)
    notes = [] if (classes[0] != classes[1]).any() else ["the two give every test image the same class"]
    return Comparison(first, second, "mcnemar", difference, disagreements=only, notes=tuple(notes))


def _weights(subject: Subject) -> set[str]:
    """The SHA-256 sums of the final weights of its runs."""
    return {member.end.weights_sha256 for member in subject.runs if member.end is not None}


def _seeds(comparison: Comparison, score: ScoreKind, alpha: float) -> int | None:
    """The number of seeds of each that would show a difference of the size found; a single run is taken to vary as the
    group does. None for one recipe, as there is no difference to show."""
    groups = [subject.group for subject in (comparison.first, comparison.second) if subject.is_group]
    sds = [sd for group in groups if (sd := describe(group.scores(score)).sd) is not None]
    if not sds or comparison.difference.p is None or comparison.is_of_one_recipe:
        return None
    return seeds_needed(comparison.difference.value, (sds[0], sds[-1]), alpha)


def _turned(difference: Difference) -> Difference:
    low, high = (None if end is None else -end for end in (difference.high, difference.low))
    return Difference(-difference.value, low, high, difference.p)


def _shortcomings(subject: Subject) -> list[str]:
    group, notes = subject.group, []
    if group.unfinished:
        named = ", ".join(f"{member.run_id} ({member.status})" for member in group.unfinished)
        notes.append(f"{subject.label}: not counted, and perhaps not by chance: {named}")
    if group.repeated:
        named = ", ".join(member.run_id for member in group.repeated)
        notes.append(f"{subject.label}: not counted, same seed and weights as another of its runs: {named}")
    return notes


def _points(points: float) -> str:
    points += 0.0  # -0.0 becomes 0.0
    return f"{points:.3f}" if abs(points) < 0.1 else f"{points:.2f}"


def _level(level: float) -> str:
    return f"{100 * level:.4g}%"


def _p(p: float | None) -> str:
    return "unknown" if p is None else "< 0.001" if p < 0.001 else f"= {p:.3f}"
