"""Probabilities of a network on labelled images, its confusion matrix, precision and recall.

Everything is on the CPU, for the interface; long work asks `should_stop` between batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import ShouldStop, Stopped
from core.training.evaluate import BATCH, Pixels, logits_of

ReportShare = Callable[[float], None]
"""Called after each batch with the share of the work that is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """`probabilities` (N, classes) float32, rows adding up to 1; `predictions` (N,) int64, the class of the largest."""

    probabilities: Tensor
    predictions: Tensor

    @property
    def confidence(self) -> Tensor:
        """(N,) float32: the probability that each image's predicted class was given."""
        return self.probabilities.gather(1, self.predictions[:, None])[:, 0]


@dataclass(frozen=True, slots=True)
class ClassScore:
    """The score of one class, of which there are so many `images`.

    `precision` is the share of correct ones among the images predicted as this class, None when there are none;
    `recall` the share of this class's images that were predicted as it, None when there are none. `taken_for` is the
    class that its images are most often mistaken for, None when they never are.
    """

    images: int
    precision: float | None
    recall: float | None
    taken_for: int | None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall."""
        if self.precision is None or self.recall is None:
            return None
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def classify(
    module: nn.Module, images: Tensor, pixels: Pixels, should_stop: ShouldStop, report: ReportShare
) -> Outputs:
    """The outputs for uint8 images (N, S, S), in the batches of `core.training.evaluate`, so that the classes agree.

    The module is to be in evaluation mode.

    Raises:
        Stopped: between two batches, when asked to.
    """
    probabilities = torch.empty(0, 0)
    predictions = torch.empty(len(images), dtype=torch.int64)
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            Stopped.check(should_stop)
            batch = slice(start, start + BATCH)
            logits = logits_of(module, pixels, images[batch])
            if not start:
                probabilities = torch.empty(len(images), logits.shape[1])
            probabilities[batch] = logits.softmax(1)
            predictions[batch] = logits.argmax(1)
            report(min(start + BATCH, len(images)) / len(images))
    return Outputs(probabilities, predictions)


def confusion_matrix(labels: Tensor, predictions: Tensor, classes: int) -> Tensor:
    """(classes, classes) int64: the number of images of the row's class that were predicted as the column's."""
    pairs = labels.long() * classes + predictions.long()
    return torch.bincount(pairs, minlength=classes * classes).view(classes, classes)


def class_scores(matrix: Tensor) -> list[ClassScore]:
    """The score of each class by its confusion matrix."""
    counts = matrix.tolist()
    scores = []
    for own in range(len(counts)):
        right, images = counts[own][own], sum(counts[own])
        called = sum(row[own] for row in counts)
        mistakes = [0 if other == own else counts[own][other] for other in range(len(counts))]
        scores.append(
            ClassScore(
                images=images,
                precision=right / called if called else None,
                recall=right / images if images else None,
                taken_for=mistakes.index(max(mistakes)) if any(mistakes) else None,
            )
        )
    return scores


def most_confused(matrix: Tensor) -> tuple[int, int] | None:
    """The most frequent confusion, as true class and predicted class; None when all predictions are correct."""
    wrong = matrix.clone().fill_diagonal_(0)
    if not int(wrong.sum()):
        return None
    return divmod(int(wrong.argmax()), len(matrix))


def surest_first(outputs: Outputs, chosen: Tensor) -> Tensor:
    """The indices of the images that a mask (N,) selects, the most confident predictions first."""
    indices = chosen.nonzero()[:, 0]
    return indices[outputs.confidence[indices].argsort(descending=True, stable=True)]
