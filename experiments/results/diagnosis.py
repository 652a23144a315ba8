"""What the epochs of a run amount to, in a line: how it goes, since when, and whether it has reached its target.

A pure function of the history, so that every reader of a log says the same. The limits were set on the histories of
real runs, which the tests have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.events import RunFailed, RunFinished
from experiments.runs.view import RunView

Trend = Literal["too_early", "diverged", "diverging", "not_learning", "overfitting", "plateau", "improving"]

LEAST_EPOCHS = 3
"""Epochs from which on there is anything to tell."""
RISE, LEAST_RISE = 1.5, 0.05
"""A training loss that diverges is so many times its lowest value, and by so much above it."""
GUESS = 1.25
"""A network that guesses has at most so many times the accuracy of naming one class always."""
WORSE = 1.05
"""A loss that has risen for good is so many times its lowest value."""
BETTER_LOSS, BETTER_ACCURACY = 0.99, 0.0002
"""An epoch is better than those before when its loss is at most this share of theirs, or its accuracy so much above."""
OVERFIT_EPOCHS, FLAT_EPOCHS = 3, 4

RULES: Mapping[Trend, str] = {
    "improving": f"in one of the last {FLAT_EPOCHS} epochs the score's loss fell by 1 % or its accuracy rose by 0.02 "
    "points over all epochs before",
    "plateau": f"none of the last {FLAT_EPOCHS} epochs or more was better in that sense than the one before them",
    "overfitting": f"for {OVERFIT_EPOCHS} epochs or more no accuracy has been a new best, and the loss on images that "
    "are not trained on is 5 % or more above its lowest, while the training loss went on falling",
    "diverging": "the training loss of the last two epochs is half as much again as its lowest value, or more",
    "diverged": "the loss is not a finite number any more",
    "not_learning": "no epoch was clearly better than naming one class always",
    "too_early": f"there are fewer than {LEAST_EPOCHS} epochs",
}
"""When each is said, in the order in which an interface explains them. Where several hold, the worse is said."""

WORDS: Mapping[Trend, str] = {
    "improving": "still improving",
    "too_early": "too early to tell",
    "diverged": "diverged",
    "diverging": "diverging",
    "not_learning": "no better than guessing",
    "overfitting": "overfitting",
    "plateau": "plateau",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`since` is the first epoch of which the trend holds, 0 where it has no beginning; `target_epoch` the first at the
    target, None before; `ended` says that no more epochs are under way."""

    trend: Trend
    since: int
    target_epoch: int | None
    ended: bool

    @property
    def words(self) -> str:
        """``overfitting since epoch 9``, ``target reached in epoch 12, still improving``."""
        if self.target_epoch is None:
            return self.trend_words
        reached = f"target reached in epoch {self.target_epoch}"
        return reached if self.trend == "too_early" else f"{reached}, {self.trend_words}"

    @property
    def trend_words(self) -> str:
        """``overfitting since epoch 9``, without a word on the target."""
        match self.trend:
            case "too_early":
                return "too early to tell" if not self.ended else "too few epochs to tell"
            case "improving":
                return "still improving at its end" if self.ended else "still improving"
            case "diverged":
                return f"diverged in epoch {self.since}"
            case trend:
                return WORDS[trend] + (f" since epoch {self.since}" if self.since else "")

    @property
    def is_bad(self) -> bool:
        """Whether more epochs of this will not help."""
        return self.trend in ("diverged", "diverging", "not_learning", "overfitting")

    def to_json(self) -> dict[str, Any]:
        return {
            "trend": self.trend,
            "since": self.since or None,
            "target_epoch": self.target_epoch,
            "words": self.words,
        }


def diagnose(view: RunView) -> Diagnosis:
    """What a run's history says so far."""
    trend, since = _trend(view)
    return Diagnosis(trend, since, view.first_epoch_at_target, isinstance(view.end, RunFinished))


def _trend(view: RunView) -> tuple[Trend, int]:
    if isinstance(view.end, RunFailed) and view.end.error.startswith("the loss is not finite"):
        return "diverged", view.end.epoch
    epochs = sorted(view.losses.keys() & view.accuracies.keys())
    if len(epochs) < LEAST_EPOCHS:
        return "too_early", 0
    trained = {event.epoch: event.train_loss for event in view.epochs}
    training = [trained[epoch] for epoch in epochs]
    losses, accuracies = [view.losses[epoch] for epoch in epochs], [view.accuracies[epoch] for epoch in epochs]
    classes = len(view.started.classes) if view.started is not None else 10
    if (place := _diverging(training)) is not None:
        return "diverging", epochs[place]
    if max(accuracies) <= GUESS / classes:
        return "not_learning", 0
    if (place := _overfitting(training, losses, accuracies)) is not None:
        return "overfitting", epochs[place]
    last = _last_better(losses, accuracies)
    if len(epochs) - 1 - last >= FLAT_EPOCHS:
        return "plateau", epochs[last + 1]
    return "improving", 0


def _diverging(training: Sequence[float]) -> int | None:
    """The place from which on the training loss has been far above its lowest value; None where it is not."""
    lowest = min(range(len(training)), key=lambda place: training[place])
    limit = max(RISE * training[lowest], training[lowest] + LEAST_RISE)
    start = len(training)
    while start - 1 > lowest and training[start - 1] >= limit:
        start -= 1
    return start if len(training) - start >= 2 else None


def _overfitting(training: Sequence[float], losses: Sequence[float], accuracies: Sequence[float]) -> int | None:
    """The place behind the lowest loss and the best accuracy, where the loss has been left for good while training went
    on; None elsewhere."""
    lowest = min(range(len(losses)), key=lambda place: losses[place])
    last = max(lowest, max(range(len(losses)), key=lambda place: (accuracies[place], -place)))
    since = losses[last + 1 :]
    has_risen = len(since) >= OVERFIT_EPOCHS and min(since[-OVERFIT_EPOCHS:]) >= WORSE * losses[lowest]
    return last + 1 if has_risen and training[-1] < training[last] else None


def _last_better(losses: Sequence[float], accuracies: Sequence[float]) -> int:
    """The place of the last epoch that was better than all before it; of slow progress, once it adds up."""
    last, loss, accuracy = 0, losses[0], accuracies[0]
    for place in range(1, len(losses)):
        if losses[place] <= BETTER_LOSS * loss or accuracies[place] >= accuracy + BETTER_ACCURACY:
            last, loss, accuracy = place, min(loss, losses[place]), max(accuracy, accuracies[place])
    return last
