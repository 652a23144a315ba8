"""What a search looks for: an accuracy, and beside it what a network costs, of which less is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Literal

from core.config import TrainConfig
from core.data.task_of import task_of
from core.errors import InvalidValue
from core.events import RunFinished
from core.models.network import summarize_config
from core.models.spec import is_user_module
from experiments.runs.view import RunView

ACCURACIES = ("val", "test")
"""Accuracy after the last epoch: on held-out training images, or on the test images, which it is then optimistic on."""
COSTS = ("params", "macs", "seconds")
"""Parameters, multiply-adds for one image, and seconds for a training step, the median over the epochs."""
FORMS = f"must be one of {', '.join(ACCURACIES)}, then any of {', '.join(COSTS)}, as in val,params"
DECIMALS = 6
"""Of the seconds of a step, which are no more exact than that."""


def parse_objectives(text: str) -> tuple[str, ...]:
    """The objectives of a search as they are written, ``val`` or ``val,params``: an accuracy first.

    Raises:
        InvalidValue.
    """
    found = tuple(part.strip() for part in text.split(","))
    if found[0] not in ACCURACIES or any(part not in COSTS for part in found[1:]) or len(set(found)) < len(found):
        raise InvalidValue("objective", text, FORMS, hint="for example val,params")
    return found


def direction(objective: str) -> Literal["maximize", "minimize"]:
    return "maximize" if objective in ACCURACIES else "minimize"


def accuracy_of(view: RunView, images: str, val_split: int, epochs: int | None = None) -> float | None:
    """The accuracy of a finished run after its last epoch; of one that somebody has extended, after so many.

    Args:
        images: "val" or "test".
        val_split: images held out; where there are any, the test images are looked at once, at the end.
    """
    end = view.end
    if not isinstance(end, RunFinished):
        return None
    last = end.epochs if epochs is None else min(end.epochs, epochs)
    if images == "test" and last == end.epochs:
        return end.final_test_accuracy
    is_the_objective = (images == "test") != bool(val_split)
    return view.accuracies.get(last) if is_the_objective else None  # on held-out images where there are some


def cost(objective: str, view: RunView, config: TrainConfig) -> float | None:
    """What a finished run cost; None where its log does not say.

    Raises:
        InvalidValue: for the multiply-adds of a module of one's own, which only running it could tell.
    """
    if objective == "params":
        return None if view.started is None else float(view.started.total_params)
    if objective == "seconds":
        rates = [epoch.images_per_second for epoch in view.epochs if epoch.images_per_second > 0]
        return round(config.batch_size / median(rates), DECIMALS) if rates else None
    check_costs((objective,), config.arch)
    summary = summarize_config(config.model_copy(update={"budget": False}), task_of(config.dataset))
    return None if summary is None else float(summary.macs)


def check_costs(objectives: Sequence[str], arch: str) -> None:
    """Make sure that a network's costs can be told.

    Raises:
        InvalidValue: for the multiply-adds of a module of one's own.
    """
    if "macs" in objectives and is_user_module(arch):
        allowed = "a module of one's own is not counted in multiply-adds"
        raise InvalidValue("objective", ",".join(objectives), allowed, hint="use params or seconds in its place")


def front(scores: Sequence[Sequence[float]], objectives: Sequence[str]) -> list[int]:
    """The places of those that no other is better than: as good in every objective and better in one. Of equal ones
    all."""
    signs = [1.0 if direction(objective) == "maximize" else -1.0 for objective in objectives]
    rows = [[sign * value for sign, value in zip(signs, row, strict=True)] for row in scores]

    def beaten(row: Sequence[float]) -> bool:
        return any(other != row and all(map(_at_least, other, row)) for other in rows)

    return [place for place, row in enumerate(rows) if not any(map(math.isnan, row)) and not beaten(row)]


def mean_scores(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The mean of each objective over the runs of a trial."""
    return tuple(math.fsum(column) / len(rows) for column in zip(*rows, strict=True))


def _at_least(one: float, other: float) -> bool:
    return one >= other
