"""What can be compared: finished runs and groups of them, on the same test images by the same rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from core.errors import InvalidValue, RunError
from core.events import RunStarted
from experiments.groups import Group, Member, Score, find_group, make_group
from experiments.store import Store


@dataclass(frozen=True, slots=True)
class Subject:
    """A run, or a group of several that have finished."""

    label: str
    group: Group
    is_group: bool

    @property
    def runs(self) -> tuple[Member, ...]:
        """Those that count: at least one."""
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
            raise RunError(f"{self.runs[0].run_id}: its log has no start", hint="mnist-tui show says what it has")
        return started


def find_subject(store: Store, reference: str) -> Subject:
    """The group of an id, of a unique prefix of one, or of the name that `run --seeds` was given; else the run that
    `Store.find` finds.

    Raises:
        RunError: when there is none.
        InvalidValue: when there are several, or when it has not finished.
    """
    group_id = store.find_group_id(reference)
    group = find_group(store, group_id) if group_id is not None else None
    if group is None:
        member = Member.of(store.find(reference))
        if member.end is None:
            hint = f"mnist-tui watch {member.run_id}" if member.status == "running" else "compare finished runs"
            raise InvalidValue("run", reference, f"is {member.status}, not finished", hint=hint)
        return Subject(member.name or member.run_id, make_group(member.run_id, [member]), is_group=False)
    if not group.finished:
        states = ", ".join(f"{member.run_id} {member.status}" for member in group.members[:4])
        raise InvalidValue("group", group.id, f"none of its runs is finished: {states}", hint="wait, or resume them")
    if varying := group.varying():
        reason = f"its runs differ in {', '.join(varying)}, so they are not one recipe"
        raise InvalidValue("group", group.id, reason, hint="compare its runs one by one")
    return Subject(group.name or group.id, group, is_group=len(group.finished) > 1)


def with_unique_labels(subjects: Sequence[Subject]) -> tuple[Subject, ...]:
    """The subjects, those that are called the same by their ids."""
    labels = [subject.label for subject in subjects]
    return tuple(
        replace(subject, label=subject.group.id) if labels.count(subject.label) > 1 else subject for subject in subjects
    )


def check_comparable(subjects: Sequence[Subject], score: Score) -> None:
    """Raise `InvalidValue` when the subjects share runs, were not scored on the same test images by the same rules, or
    do not all have this score."""
    for one, other in combinations(subjects, 2):
        shared = {member.run_id for member in one.group.members} & {member.run_id for member in other.group.members}
        if shared:
            hint = "compare different runs, or groups without shared runs"
            raise InvalidValue("run", min(shared), f"is in {one.label} and in {other.label}", hint=hint)
    first = subjects[0]
    for other in subjects[1:]:
        _check_pair(first, other)
    for subject in subjects:
        if len(subject.group.scores(score)) < len(subject.runs):
            rule = _scoring_rule(subject)
            hint = "selected needs --val-split, best needs a run without"
            raise InvalidValue("score", score, f"{subject.label} has none, its scoring rule is: {rule}", hint=hint)


def _check_pair(first: Subject, other: Subject) -> None:
    facts = (
        ("dataset", "different data sets", lambda subject: subject.started.dataset),
        ("limit_test", "different numbers of test images", lambda subject: subject.started.test_images),
        ("val_split", "different scoring rules", _scoring_rule),
    )
    for field, what, fact in facts:
        here, there = fact(first), fact(other)
        if here != there:
            labels = f"{first.label} has {here}, {other.label} {there}"
            hint = "only scores on the same test images by the same rule can be compared"
            raise InvalidValue(field, there, f"{what}: {labels}", hint=hint)


def _scoring_rule(subject: Subject) -> str:
    """What decides which epoch's weights a score is of."""
    config = subject.config
    held_out = "epochs judged on held-out images" if config.get("val_split") else "epochs judged on the test images"
    if config.get("stop_at_target"):
        return f"{held_out}, ended at {config.get('target')}%"
    return f"{held_out}, all epochs trained"
