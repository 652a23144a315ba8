"""Subjects of a comparison: finished runs and groups of them, scored on the same test images by the same rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, ClassVar

from core.advice import Action, Advice, Tip
from core.dataset_names import identity_of
from core.errors import InvalidValue, RunError
from core.events import RunStarted
from experiments.results.groups import Group, GroupMember, ScoreKind, find_group, make_group
from experiments.runs.row import Status
from experiments.runs.store import Store
from experiments.runs.view import how_to_finish

OTHERS = Advice("name another run or group: ", Tip(Action.LIST_RUNS), " lists them")


class Incomparable(InvalidValue):
    """Raised for results that must not be compared.

    `allowed` is the whole sentence, as `field` is one of a run's config and not of what was typed.
    """

    FORM: ClassVar = "{allowed}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A run, or a group of several that have finished."""

    label: str
    group: Group
    is_group: bool

    @property
    def runs(self) -> tuple[GroupMember, ...]:
        """The finished runs, at least one."""
        return self.group.finished

    @property
    def config(self) -> Mapping[str, Any]:
        return self.runs[0].config

    @property
    def started(self) -> RunStarted:
        """The beginning of its first run.

        Raises:
            RunError: when the log does not have it.
        """
        started = self.runs[0].view.started
        if started is None:
            hint = Advice(Tip(Action.SHOW, self.runs[0].run_id), " says what it has")
            raise RunError(f"{self.runs[0].run_id}: its log has no start", hint=hint)
        return started


def find_subject(store: Store, reference: str) -> Subject:
    """The group of an id, of a unique prefix of one, or of the name that `run --seeds` was given; else the run that
    `Store.find` finds.

    Raises:
        RunError: when there is none.
        InvalidValue: when there are several.
        Incomparable: when it has not finished, or is no one recipe.
    """
    group_id = store.find_group_id(reference)
    group = find_group(store, group_id) if group_id is not None else None
    if group is None:
        member = GroupMember.of(store.find(reference))
        if member.end is None:
            reason = f"only finished runs can be compared; run {reference} is {member.status}"
            raise Incomparable("run", reference, reason, hint=_to_finish(member.run_id, [member]))
        return Subject(member.name or member.run_id, make_group(member.run_id, [member]), is_group=False)
    if not group.finished:
        states = ", ".join(f"{member.run_id} {member.status}" for member in group.members[:4])
        reason = f"group {group.title} has no finished run to compare: {states}"
        raise Incomparable("group", group.id, reason, hint=_to_finish(group.id, group.members))
    if varying := group.varying():
        reason = f"group {group.title} cannot be compared: its runs differ in {', '.join(varying)}"
        hint = Advice("compare its runs one by one: ", Tip(Action.SHOW, group.id), " lists them")
        raise Incomparable("group", group.id, reason, hint=hint)
    return Subject(group.name or group.id, group, is_group=len(group.finished) > 1)


def with_unique_labels(subjects: Sequence[Subject]) -> tuple[Subject, ...]:
    """The subjects, those that are called the same by their ids."""
    labels = [subject.label for subject in subjects]
    return tuple(
        replace(subject, label=subject.group.id) if labels.count(subject.label) > 1 else subject for subject in subjects
    )


def check_comparable(subjects: Sequence[Subject], score: ScoreKind) -> None:
    """Raise `Incomparable` when the subjects share runs, were not scored on the same test images by the same rules, or
    do not all have this score."""
    for one, other in combinations(subjects, 2):
        shared = {member.run_id for member in one.group.members} & {member.run_id for member in other.group.members}
        if shared:
            reason = f"{min(shared)} is in both {one.label} and {other.label}; name it once"
            raise Incomparable("run", min(shared), reason, hint=OTHERS)
    first = subjects[0]
    for other in subjects[1:]:
        _check_pair(first, other)
    for subject in subjects:
        if len(subject.group.scores(score)) < len(subject.runs):
            reason = f"score must be one that all of them have: {subject.label} has no {score} accuracy"
            final, held_out = Tip(Action.SET, "score", "final"), Tip(Action.OPTION, "val_split")
            hint = Advice(final, "; selected needs runs with ", held_out, ", best needs runs without")
            raise Incomparable("score", score, reason, hint=hint)


def _check_pair(first: Subject, other: Subject) -> None:
    theirs = _scored_by(other)
    for field, here in _scored_by(first).items():
        there = theirs[field]
        if identity_of(here) != identity_of(there) if field == "dataset" else here != there:
            reason = f"{field} must be the same: it is {here} for {first.label} and {there} for {other.label}"
            option = Tip(Action.OPTION, field)
            hint = Advice("train one of them again with the other's ", option, ", or ", *OTHERS.parts)
            raise Incomparable(field, there, reason, hint=hint)


def _scored_by(subject: Subject) -> dict[str, str]:
    """The fields that decide which images a score is of and which epoch's weights, with their values in words."""
    started, config = subject.started, subject.config
    return {
        "dataset": started.dataset,
        "limit_test": f"{started.test_images:,} test images",
        "val_split": "above 0" if config.get("val_split") else "0",
        "stop_at_target": f"on at {config.get('target')}%" if config.get("stop_at_target") else "off",
    }


def _to_finish(reference: str, members: Sequence[GroupMember]) -> Advice:
    """Advice on a run, or on a group of which no run has finished."""
    if any(member.status is Status.RUNNING for member in members):
        return Advice("wait for it: ", Tip(Action.WATCH, reference))
    return how_to_finish(reference, (member.view.end for member in members))
