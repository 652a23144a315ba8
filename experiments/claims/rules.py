"""The six claims of the exercise, each with the runs that it needs and the rule by which it is judged.

All rules are about what several seeds do, as one run on 10,000 images has a standard error of 0.077 points. "Reaches"
means in some epoch, on the test images, as the exercise counts; the accuracy after the last epoch is given beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from statistics import stdev
from typing import Any, Literal

from core.history import EARLY_EPOCHS, early_signal, first_epoch_at
from experiments.results.groups import Group, GroupMember
from experiments.statistics.descriptive import Share, describe, median_with_never, share_of
from experiments.statistics.significance import ALPHA, Difference, fisher, holm, welch

Verdict = Literal["holds", "does not", "cannot tell"]
Groups = Mapping[str, Group]
"""The group of each arm, by the arm's name."""

TARGET = 99.4
"""Percent."""
LAST_EPOCHS = 5
"""The number of last epochs over which the fluctuation of a run's accuracy is measured."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A recipe: the exercise's own with some fields changed. A `repeat` is a recipe run again with the same seeds."""

    name: str
    changes: Mapping[str, object] = field(default_factory=dict)
    repeats: str = ""


ARMS: tuple[Arm, ...] = (
    Arm("conv9"),
    Arm("conv5", {"arch": "conv5"}),
    Arm("lr-0.035", {"lr": 0.035}),
    Arm("batch-128", {"batch_size": 128}),
    Arm("batch-64", {"batch_size": 64}),
    Arm("dropout-0.05", {"dropout": 0.05}),
    Arm("dropout-0.1", {"dropout": 0.1}),
    Arm("again", repeats="conv9"),
)
MAX_REPEATS = 2
"""Seeds of a repeated arm."""
WITH_DROPOUT = tuple(arm.name for arm in ARMS if "dropout" in arm.changes)
UNTUNED = ("lr-0.035", "batch-64", "batch-128")
"""What the exercise's learning rate and batch size are said to be better than."""


@dataclass(frozen=True, slots=True)
class ClaimPart:
    """One of several things that a claim says, each with a verdict of its own, `key` in the details."""

    key: str
    text: str
    numbers: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ClaimFinding:
    """The measurement of a claim, on `n` runs, and the verdict. `details` is ready for JSON."""

    measured: str
    n: int
    verdict: Verdict
    details: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[ClaimPart, ...] = ()

    @classmethod
    def of_parts(cls, parts: Sequence[ClaimPart], n: int, details: Mapping[str, Any]) -> ClaimFinding:
        """The finding of a claim that holds when all of its parts do, and does not when one does not."""
        verdicts = {part.verdict for part in parts}
        verdict: Verdict = "does not" if "does not" in verdicts else "holds" if verdicts == {"holds"} else "cannot tell"
        measured = "; ".join(f"{part.text}: {part.verdict} ({part.numbers})" for part in parts)
        return cls(measured, n, verdict, {**details, **{part.key: part.verdict for part in parts}}, tuple(parts))

    def undecided(self) -> ClaimFinding:
        """The same numbers where they are evidence for nothing."""
        if self.parts:
            parts = [replace(part, verdict="cannot tell") for part in self.parts]
            return ClaimFinding.of_parts(parts, self.n, self.details)
        return replace(self, verdict="cannot tell")


@dataclass(frozen=True, slots=True)
class Claim:
    """`rule` says when it holds and when not; everything else is "cannot tell"."""

    number: int
    text: str
    rule: str
    judge: Callable[[Groups], ClaimFinding]


def judge_reaching(arm: str, percent: float) -> Callable[[Groups], ClaimFinding]:
    """Whether a typical run of an arm reaches an accuracy."""

    def judge(groups: Groups) -> ClaimFinding:
        group = groups[arm]
        epochs = [first_epoch_at(member.view.accuracies, percent) for member in group.decided]
        share = reached_by(group, percent)
        measured = f"{percent:g}% reached in some epoch by {_in_words(share)}"
        if (median := median_with_never(epochs)) is not None:
            measured += f", by half of them up to epoch {median:g}"
        for score in ("best", "final"):
            if (sample := group.sample(score)) is not None:
                measured += f"; {score} {100 * sample.mean:.2f}% on average"
        details = {"reached": share.count, "low": share.low, "high": share.high, "epochs": epochs}
        return ClaimFinding(measured, share.n, majority(share), details)

    return judge


def judge_early_signal(groups: Groups) -> ClaimFinding:
    """Judge how well the first three epochs tell which runs will reach the target, over all arms."""
    tables = [_signal_table(groups[arm.name]) for arm in ARMS if not arm.repeats]
    both, only_signal, only_reached, neither = (sum(counts) for counts in zip(*tables, strict=True))
    precision, recall = share_of(both, both + only_signal), share_of(both, both + only_reached)
    # Within recipes: of two, one that is bad altogether would seem to be told apart by the signal.
    excess, p = fisher(tables)
    measured = f"precision {_in_words(precision)}, recall {_in_words(recall)}"
    verdict = majority(precision)
    if verdict == "holds" and not (p < ALPHA and excess > 0):
        verdict = "cannot tell"
        measured += ", but within recipes runs without the signal are too few, or reach it as often"
    details = {
        "signal_and_reached": both,
        "signal_only": only_signal,
        "reached_only": only_reached,
        "neither": neither,
        "precision": precision.share,
        "recall": recall.share,
        "p_within_recipes": p,
    }
    return ClaimFinding(measured, both + only_signal + only_reached + neither, verdict, details)


def _signal_table(group: Group) -> tuple[int, int, int, int]:
    """Runs with both the early signal and the target, with only the signal, with only the target, with neither."""
    outcomes = [(bool(early_signal(run.view.accuracies)), reaches_target(run)) for run in group.decided]
    yes, no = True, False
    return outcomes.count((yes, yes)), outcomes.count((yes, no)), outcomes.count((no, yes)), outcomes.count((no, no))


def judge_dropout(groups: Groups) -> ClaimFinding:
    """Judge whether dropout calms the last epochs, and whether a run with it reaches the target all the same."""
    plain = fluctuations(groups["conv9"])
    found = [_difference(fluctuations(groups[arm]), plain) for arm in WITH_DROPOUT]
    stable = _all_directions(found, better=-1)
    runs = [member for arm in WITH_DROPOUT for member in groups[arm].decided]
    share = share_of(sum(map(reaches_target, runs)), len(runs))
    never: Verdict = "does not" if share.count else "holds" if majority(share) == "does not" else "cannot tell"
    calm = ", ".join(
        f"{arm} {_points(fluctuations(groups[arm]))}" for arm in ("conv9", *WITH_DROPOUT) if fluctuations(groups[arm])
    )
    spread = f"deviation over a run's last {LAST_EPOCHS} epochs, in points: {calm or 'no runs'}"
    parts = (
        ClaimPart("more_stable", "more stable", spread, stable),
        ClaimPart("cannot_reach", f"cannot reach {TARGET:g}%", f"{_in_words(share)} with dropout reached it", never),
    )
    return ClaimFinding.of_parts(parts, len(runs) + len(plain), {"reached": share.count})


def judge_restart(groups: Groups) -> ClaimFinding:
    """Judge whether best accuracies differ from run to run, with other seeds and with the same one."""
    again = {member.seed: member for member in groups["again"].finished}
    runs = groups["conv9"].finished
    bests = [best for member in runs if (best := member.score("best")) is not None]
    pairs = [(member, again[member.seed]) for member in runs if member.seed in again]
    same = sum(_same_weights(one, two) for one, two in pairs)
    differing = sum(one != two for one, two in combinations(bests, 2))
    total = math.comb(len(bests), 2)
    verdict: Verdict = (
        "cannot tell" if total == 0 else "holds" if differing else "does not" if total > 1 else "cannot tell"
    )
    measured = f"without a fixed seed: best differs in {differing} of {total} pairs of runs"
    if len(bests) > 1:
        spread = 100 * (max(bests) - min(bests))
        measured += f", by up to {spread:.2f} points (deviation {100 * stdev(bests):.3f})"
    measured += f"; with the same seed: {same} of {len(pairs)} runs ended with the same weights, bit for bit"
    details = {"differing_pairs": differing, "pairs": total, "same_seed_same_weights": same, "same_seed": len(pairs)}
    return ClaimFinding(measured, len(bests) + len(again), verdict, details)


def judge_tuning(groups: Groups) -> ClaimFinding:
    """Judge whether the best accuracy is higher with the exercise's learning rate and batch size than with others."""
    found = [_difference(groups["conv9"].scores("best"), groups[arm].scores("best")) for arm in UNTUNED]
    adjusted = holm([difference.p for difference in found])
    parts = []
    for arm, difference, p in zip(UNTUNED, found, adjusted, strict=True):
        if not (groups["conv9"].scores("best") and groups[arm].scores("best")):
            parts.append(f"over {arm} unknown")
            continue
        text = f"over {arm} {100 * difference.value:+.3f} points"
        if difference.low is not None and difference.high is not None and p is not None:
            low, high = (100 * min(max(end, -1.0), 1.0) for end in (difference.low, difference.high))
            text += f" (95% interval {low:+.3f} to {high:+.3f}; p = {p:.3f})"
        parts.append(text)
    n = sum(len(groups[arm].scores("best")) for arm in ("conv9", *UNTUNED))
    details = {
        arm: {"difference": one.value, "low": one.low, "high": one.high, "p": one.p, "p_adjusted": p}
        for arm, one, p in zip(UNTUNED, found, adjusted, strict=True)
    }
    has_intervals = any(one.low is not None for one in found)
    how = "; each interval by itself, p after Holm's correction" if has_intervals else ""
    measured = f"gain in best: {', '.join(parts)}{how}"
    return ClaimFinding(measured, n, _all_directions(found, better=1), details)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        1,
        "conv9 reaches 99.4% or more",
        "holds when the 95% interval of the share of seeds that reach it lies above one half, does not when it lies "
        "below",
        judge_reaching("conv9", TARGET),
    ),
    Claim(
        2,
        "conv5 reaches 99.43%",
        "as the first, for 99.43%",
        judge_reaching("conv5", 99.43),
    ),
    Claim(
        3,
        f"A run above 99.10% within its first {EARLY_EPOCHS} epochs has scope to reach 99.4%",
        "over the runs of all recipes: holds when most runs with the signal reach 99.4% (95% interval of the precision "
        "above one half) and, within recipes, more of them than of those without (exact test of conditional "
        "independence), does not when most of them do not",
        judge_early_signal,
    ),
    Claim(
        4,
        "Dropout makes training more stable, but such a run cannot reach 99.4%",
        f"more stable: a lower deviation of test accuracy over the last {LAST_EPOCHS} epochs, at both rates of dropout "
        "(Welch, Holm). Cannot reach: no run with dropout does, and the 95% interval of their share is below one half. "
        "Both must hold; one run that reaches it is enough for does not",
        judge_dropout,
    ),
    Claim(
        5,
        "Running the same model again after a restart does not give the same best accuracy",
        "holds when runs without a fixed seed differ in their best accuracy; beside it, what the same seed gives",
        judge_restart,
    ),
    Claim(
        6,
        "Raising the learning rate from 0.035 to 0.03772 at batch size 256 improves the result; 256 beats 64 and 128",
        "on best accuracies: holds when all three differences are above 0 (Welch, Holm), does not when one is below 0",
        judge_tuning,
    ),
)


def majority(share: Share) -> Verdict:
    """Whether more than half of all runs do it, of which these are a sample."""
    if share.low is not None and share.low > 0.5:
        return "holds"
    return "does not" if share.high is not None and share.high < 0.5 else "cannot tell"


def reached_by(group: Group, percent: float) -> Share:
    """The share of a group's decided runs that reach an accuracy in some epoch."""
    epochs = [first_epoch_at(member.view.accuracies, percent) for member in group.decided]
    return share_of(sum(epoch is not None for epoch in epochs), len(epochs))


def reaches_target(member: GroupMember) -> bool:
    return first_epoch_at(member.view.accuracies, TARGET) is not None


def fluctuations(group: Group) -> list[float]:
    """The standard deviation of each finished run's accuracy over its last epochs."""
    found = []
    for member in group.finished:
        accuracies = member.view.accuracies
        last = [accuracies[epoch] for epoch in sorted(accuracies)[-LAST_EPOCHS:]]
        if len(last) > 1:
            found.append(stdev(last))
    return found


def _difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    if not first or not second:
        return Difference(0.0, None, None, None)
    return welch(describe(first), describe(second))


def _all_directions(differences: Sequence[Difference], *, better: int) -> Verdict:
    """`holds` when all differ in the better direction by more than chance, `does not` when one does in the other."""
    signs = [
        math.copysign(1, difference.value) if p is not None and p < ALPHA else 0
        for difference, p in zip(differences, holm([one.p for one in differences]), strict=True)
    ]
    if -better in signs:
        return "does not"
    return "holds" if all(sign == better for sign in signs) else "cannot tell"


def _same_weights(one: GroupMember, two: GroupMember) -> bool:
    return one.end is not None and two.end is not None and one.end.weights_sha256 == two.end.weights_sha256


def _in_words(share: Share) -> str:
    if share.low is None or share.high is None:
        return "unknown, as there were none"
    return f"{share.count} of {share.n} (95% interval {100 * share.low:.0f} to {100 * share.high:.0f}%)"


def _points(values: Sequence[float]) -> str:
    return f"{100 * describe(values).mean:.3f}"
