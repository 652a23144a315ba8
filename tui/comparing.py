"""What is compared: the curves of runs and groups over epochs, steps or time, and how their configs differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.arch import is_user_module
from core.errors import InvalidValue, RunError, ShouldStop
from core.events import EpochFinished
from experiments.locations import Locations
from experiments.run import Run
from experiments.scoring import Report, Scored, score_run
from experiments.store import Store
from tui.follow import Follower
from tui.marks import MOST
from tui.widgets.series import Values

AXES = {"epoch": "epochs", "step": "steps", "time": "seconds of training and evaluation"}
UNLISTED = frozenset({"max_params", "max_epochs", "budget"})
"""Config fields that decide nothing about a result."""

Value = Callable[[EpochFinished], float | None]


def _scored(one: float | None, other: float | None) -> float | None:
    return one if one is not None else other


@dataclass(frozen=True, slots=True)
class Metric:
    """`value` is that of an epoch; None for the loss by step. Accuracies are in percent, errors in log scale."""

    title: str
    value: Value | None
    accuracy: bool = False


METRICS = {
    "score": Metric("Score %", lambda e: _scored(e.val_accuracy, e.test_accuracy), accuracy=True),
    "loss": Metric("Loss on scored images", lambda e: _scored(e.val_loss, e.test_loss)),
    "train": Metric("Train accuracy %", lambda e: e.train_accuracy, accuracy=True),
    "train_loss": Metric("Train loss", lambda e: e.train_loss),
    "steps": Metric("Train loss by step", None),
}


class Entrant:
    """A run, or the runs of a group, read as far as their logs have come."""

    def __init__(self, label: str, reference: str, runs: Sequence[Run]) -> None:
        self.label, self.reference = label, reference
        self.followers = [Follower(run) for run in runs]

    @property
    def first(self) -> Follower:
        return self.followers[0]

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
        """Of the first run; where those of a group differ, their values from the least to the greatest."""
        configs = [dict(follower.view.config) or follower.run.config() for follower in self.followers]
        merged = dict(configs[0])
        for field in merged:
            values = {str(config.get(field)): config.get(field) for config in configs}
            if len(values) > 1:
                ordered = sorted(values.values(), key=lambda value: (isinstance(value, str), value))
                merged[field] = f"{ordered[0]} to {ordered[-1]}"
        return merged

    def curve(self, metric: Metric, axis: str) -> tuple[Values, Values]:
        """x and y of the curve; of a group the mean over its runs, epoch by epoch."""
        if metric.value is None:
            return self._step_curve(axis)
        xs: dict[int, list[float]] = {}
        ys: dict[int, list[float]] = {}
        for follower in self.followers:
            seconds, started = 0.0, follower.view.started
            for epoch in follower.view.epochs:
                seconds += epoch.seconds
                value = metric.value(epoch)
                if value is not None:
                    steps = epoch.epoch * (started.steps_per_epoch if started is not None else 1)
                    place = {"epoch": float(epoch.epoch), "step": float(steps), "time": seconds}[axis]
                    xs.setdefault(epoch.epoch, []).append(place)
                    ys.setdefault(epoch.epoch, []).append(100 * value if metric.accuracy else value)
        order = sorted(xs)
        return _array([np.mean(xs[e]) for e in order]), _array([np.mean(ys[e]) for e in order])

    def _step_curve(self, axis: str) -> tuple[Values, Values]:
        """Of a group that of its first run: the steps that others report are not the same ones."""
        view, by_step = self.first.view, self.first.by_step
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
            runs = sorted(groups[reference], key=lambda run: run.id)
            stem = runs[0].meta().name.rpartition("-")[0]
            entrants.append(Entrant(f"{stem or reference} (mean of {len(runs)})", reference, runs))
        else:
            run = store.find(reference)
            entrants.append(Entrant(run.meta().name or run.id, run.id, [run]))
    if not entrants:
        raise RunError("no run is marked", hint="mark runs in Runs with space")
    return entrants[:MOST]


def score_plain(run: Run, locations: Locations, should_stop: ShouldStop, report: Report) -> Scored:
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
    """The fields whose values differ, and each one's value in words."""
    configs = [entrant.config for entrant in entrants]
    fields = [field for config in configs[:1] for field in config if field not in UNLISTED]
    rows = [(field, [_in_words(config.get(field)) for config in configs]) for field in fields]
    return [(field, values) for field, values in rows if len(set(values)) > 1]


def other_data(entrants: Sequence[Entrant]) -> str:
    """A warning when the entrants were not scored on the same images; empty when they were."""
    facts = {
        (started.dataset, started.test_images, started.val_images > 0)
        for entrant in entrants
        for follower in entrant.followers
        if (started := follower.view.started) is not None
    }
    return "These runs were scored on different images: their curves cannot be held against each other." * (
        len(facts) > 1
    )


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "-" if value is None else str(value)


def _array(values: Sequence[Any]) -> Values:
    return np.array(values, dtype=np.float64)
