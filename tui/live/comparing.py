"""A comparison: the curves of runs and groups over epochs, steps or time, and the differences of their configs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Any

import numpy as np

from core.dataset_names import identity_of
from core.errors import InvalidValue, RunError, ShouldStop
from core.events import EpochFinished
from core.models.spec import is_user_module
from experiments.inference.scoring import ReportProgress, Scored, score_run
from experiments.locations import Locations
from experiments.results.frontier import DATASET, is_on_all
from experiments.results.groups import Group, GroupMember, accuracy, by_epoch, make_group, scored_loss
from experiments.runs.folder import Run
from experiments.runs.recipe import matters, recipe_of
from experiments.runs.store import Store
from experiments.runs.view import RunView
from experiments.statistics.digits import in_digits
from tui.drawing.series import Values
from tui.live.follow import Follower
from tui.live.runs.marks import MOST
from tui.live.task import in_a_sentence
from tui.text.keys import with_keys

AXES = {"epoch": "epochs", "step": "steps", "time": "seconds of training and evaluation"}
UNLISTED = frozenset({"max_params", "max_epochs", "budget"})
"""Config fields that decide nothing about a result."""

_Value = Callable[[EpochFinished], float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """`value` is that of an epoch; None for the loss by step. Accuracies are in percent, errors in log scale."""

    title: str
    value: _Value | None
    accuracy: bool = False


METRICS = {
    "score": Metric("Score %", accuracy, accuracy=True),
    "loss": Metric("Loss on scored images", scored_loss),
    "train": Metric("Train accuracy %", lambda e: e.train_accuracy, accuracy=True),
    "train_loss": Metric("Train loss", lambda e: e.train_loss),
    "steps": Metric("Train loss by step", None),
}


@dataclass(frozen=True, slots=True)
class MetricCurve:
    """`ys` over `xs`; of several runs it is their median, and `band` their quartiles, the lower and the upper."""

    xs: Values
    ys: Values
    band: tuple[Values, Values] | None = None


class Entrant:
    """A run, or the runs of a group, read as far as their logs have come."""

    def __init__(self, reference: str, runs: Sequence[Run]) -> None:
        self.reference = reference
        self.followers = [Follower(run) for run in runs]
        self._group: tuple[tuple[int, ...], Group] | None = None
        self.label = (self.group.name if len(runs) > 1 else self.first.meta.name) or reference

    @property
    def first(self) -> Follower:
        return self.followers[0]

    @property
    def group(self) -> Group:
        """The runs as the verdict takes them, without repetitions."""
        if self._group is None or self._group[0] != self.version:
            self._group = self.version, make_group(self.reference, [_member(one) for one in self.followers])
        return self._group[1]

    @property
    def counted(self) -> list[Follower]:
        """The runs that curves and means are of: those of the verdict, which are finished; before there is one, all."""
        kept = {member.run_id for member in self.group.finished or self.group.members}
        return [follower for follower in self.followers if follower.run.id in kept]

    @property
    def title(self) -> str:
        """The label, with a group's number of runs: ``base (4 runs)``, ``base (3 of 4 runs)`` if one is not counted."""
        total, counted = len(self.followers), len(self.counted)
        if total == 1:
            return self.label
        return f"{self.label} ({total if counted == total else f'{counted} of {total}'} runs)"

    @property
    def deleted(self) -> bool:
        return all(follower.deleted for follower in self.followers)

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(follower.version for follower in self.followers)

    def poll(self) -> None:
        for follower in self.followers:
            follower.poll()

    @property
    def config(self) -> dict[str, Any]:
        """The config of the first run; in fields where those of a group differ, their smallest and largest value."""
        configs = [_recipe(follower) for follower in self.followers]
        merged = dict(configs[0])
        for field in merged:
            values = {str(config.get(field)): config.get(field) for config in configs}
            if len(values) > 1:
                ordered = sorted(values.values(), key=lambda value: (isinstance(value, str), value))
                merged[field] = f"{in_digits(ordered[0])} to {in_digits(ordered[-1])}"
        return merged

    def curve(self, metric: Metric, axis: str) -> MetricCurve:
        """The curve of the run; for a group the median of the runs that count, with a band between the quartiles, over
        the epochs that all of them have: where one drops out the median would jump."""
        if metric.value is None:
            return MetricCurve(*self._step_curve(axis))
        views = [follower.view for follower in self.counted if follower.view.epochs]
        spreads = {epoch: s for epoch, s in by_epoch(views, metric.value).items() if s.n == len(views)}
        if axis == "time":
            ends = [dict(zip(_epochs(view), accumulate(e.seconds for e in view.epochs), strict=True)) for view in views]
            xs = _array([median(end[epoch] for end in ends) for epoch in spreads])
        else:
            started = views[0].started if views else None
            xs = _array(list(spreads)) * (started.steps_per_epoch if axis == "step" and started is not None else 1)
        q1, ys, q3 = (
            _array([getattr(spread, name) for spread in spreads.values()]) * (100 if metric.accuracy else 1)
            for name in ("q1", "median", "q3")
        )
        return MetricCurve(xs, ys, (q1, q3) if len(views) > 1 else None)

    def _step_curve(self, axis: str) -> tuple[Values, Values]:
        """The loss by step; for a group that of its first run, as others report it at other steps."""
        first = self.counted[0]
        view, by_step = first.view, first.by_step
        steps, losses = _array(by_step.steps), _array(by_step.losses)
        size = view.started.steps_per_epoch if view.started is not None else 1
        if axis == "epoch":
            return steps / size, losses
        if axis == "time":
            ends = np.cumsum([0.0, *(epoch.seconds for epoch in view.epochs)])
            known = steps / size <= len(view.epochs)  # of the epoch under way the time is not known yet
            return np.interp(steps[known] / size, np.arange(len(ends)), ends), losses[known]
        return steps, losses


def find_entrants(store: Store, references: Sequence[str]) -> list[Entrant]:
    """The runs and groups, at most eight, in the order in which they are named.

    Raises:
        RunError: when there is none of an id.
        InvalidValue: when a reference fits several.
    """
    groups: dict[str, list[Run]] = {}
    for row, _ in store.rows():
        if row.group_id:
            groups.setdefault(row.group_id, []).append(store.run(row.run_id))
    entrants = []
    for reference in dict.fromkeys(references):
        if reference in groups:
            entrants.append(Entrant(reference, sorted(groups[reference], key=lambda run: run.id)))
        else:
            run = store.find(reference)
            entrants.append(Entrant(run.id, [run]))
    if not entrants:
        raise RunError("no run is marked", hint=with_keys("mark runs in Runs with {mark}"))
    return entrants[:MOST]


def score_plain(run: Run, locations: Locations, should_stop: ShouldStop, report: ReportProgress) -> Scored:
    """A run's network on its test images, unless that would run code of the user's own.

    Raises:
        LabError: as `score_run` does.
    """
    arch = str(run.config().get("arch", ""))
    if is_user_module(arch):
        hint = "open it with Inspect, which asks before it runs that code"
        raise InvalidValue("run", run.id, f"its network is a module of your own, {arch}", hint=hint)
    return score_run(run, locations, None, should_stop=should_stop, report=report)


def config_differences(entrants: Sequence[Entrant]) -> list[tuple[str, list[str]]]:
    """The fields whose values differ and that have an effect in one of them, and each one's value in words."""
    configs = [entrant.config for entrant in entrants]
    listed = [field for config in configs[:1] for field in config if field not in UNLISTED]
    fields = [field for field in listed if any(matters(field, config) for config in configs)]
    rows = [(field, [_in_words(config.get(field)) for config in configs]) for field in fields]
    return [(field, values) for field, values in rows if len(set(values)) > 1]


def common_data(entrants: Sequence[Entrant]) -> tuple[str, list[str]]:
    """The data set whose results are of interest, full MNIST before others, and the titles of those entrants that are
    not trained and scored on all of it."""
    sets = [entrant.first.view.started.dataset for entrant in entrants if entrant.first.view.started is not None]
    dataset = sets[0] if sets and DATASET not in sets else DATASET
    return dataset, [
        entrant.title for entrant in entrants if not any(is_on_all(member, dataset) for member in entrant.group.members)
    ]


def what_to_mind(entrants: Sequence[Entrant]) -> str:
    """A warning when the log of a run cannot be read, or the entrants were not scored on the same images; else
    empty."""
    unread = [failure for entrant in entrants for one in entrant.followers if (failure := one.unreadable) is not None]
    if unread:
        return in_a_sentence(unread[0])
    facts = {
        (identity_of(started.dataset), started.test_images, started.val_images > 0)
        for entrant in entrants
        for follower in entrant.followers
        if (started := follower.view.started) is not None
    }
    return "These runs were scored on different images: their curves are not comparable." * (len(facts) > 1)


def _member(follower: Follower) -> GroupMember:
    return GroupMember(follower.run.id, follower.meta.name, follower.status, follower.view, _recipe(follower))


def _recipe(follower: Follower) -> dict[str, Any]:
    return recipe_of(follower.run, dict(follower.view.config) or follower.run.config())


def _epochs(view: RunView) -> list[int]:
    return [epoch.epoch for epoch in view.epochs]


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "-" if value is None else in_digits(value)


def _array(values: Sequence[Any]) -> Values:
    return np.array(values, dtype=np.float64)
