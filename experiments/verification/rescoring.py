"""Scores computed again from stored weights, and how far they may differ from the logged ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.inference.network import LoadedNetwork
from experiments.verification.findings import Check, missing

if TYPE_CHECKING:
    from torch import Tensor

CPU_TIE, GPU_TIE = 1e-4, 1e-2
"""An image whose two largest logits differ by less than this is a tie: the rounding of another processor may swap the
two classes. Runs scored on a GPU have the larger bound, because its convolutions may round more."""
CPU_LOSS_TOLERANCE, GPU_LOSS_TOLERANCE = 1e-5, 1e-3
"""The largest relative difference between two mean losses that count as equal."""
SINGLE_STEP = 1.2e-7
"""The step from 1 to the next number of single precision: a loss is a mean of log(1 + x), known no better than that."""


@dataclass(frozen=True, slots=True)
class Rescored:
    """The score of a network on N images: the mean loss, how many are correct, the predicted class of each in order,
    and the indices of those that are ties (see `CPU_TIE`)."""

    loss: float
    correct: int
    predictions: tuple[int, ...]
    ties: frozenset[int]
    loss_tolerance: float

    def compare_with(self, item: str, where: str, accuracy: float | None, loss: float | None) -> Iterator[Check]:
        """Compare a logged accuracy (a fraction) and a logged loss, each None where there is none, with this score."""
        total = len(self.predictions)
        logged = None if accuracy is None else accuracy * total
        agrees = logged is not None and abs(logged - self.correct) <= len(self.ties) + 1e-6
        stored = "none" if logged is None else f"{logged:.10g} of {total:,} correct"
        yield Check(f"{item}: accuracy", where, agrees, stored, f"{self.correct:,} of {total:,} correct")
        if loss is not None:
            agrees = math.isclose(loss, self.loss, rel_tol=self.loss_tolerance, abs_tol=SINGLE_STEP)
            yield Check(f"{item}: loss", where, agrees, f"{loss:.7g}", f"{self.loss:.7g}")

    def compare_classes(self, item: str, where: str, classes: Sequence[int]) -> Check:
        """Compare stored classes with the predicted ones, image by image; ties may differ."""
        if len(classes) != len(self.predictions):
            return missing(item, where, f"{len(classes):,} for {len(self.predictions):,} test images")
        pairs = enumerate(zip(classes, self.predictions, strict=True))
        differing = [index for index, (one, other) in pairs if one != other and index not in self.ties]
        first = f", the first for test image {differing[0]} (counted from 0)" if differing else ""
        found = f"{len(differing):,} differ{first}" if differing else "the same"
        return Check(item, where, not differing, f"{len(classes):,} classes", found)


def rescore(network: LoadedNetwork, images: Tensor, labels: Tensor, *, exact: bool, views: str = "none") -> Rescored:
    """Score a network on images (N, S, S) uint8 and labels (N,) int64.

    Args:
        exact: whether the run was scored on a CPU, so that the narrower bounds hold.
        views: those over which the mean of the logits is scored, beside the images themselves.
    """
    from torch.nn import functional as F

    from core.training.views import ImageViews

    others = ImageViews(views, images.device)
    logits = network.logits(images).double()
    for view in others(images):
        logits += network.logits(view)
    logits /= 1 + len(others)
    best = logits.topk(2, dim=1).values
    tie = CPU_TIE if exact else GPU_TIE
    predictions = logits.argmax(1)
    return Rescored(
        loss=float(F.cross_entropy(logits, labels)),
        correct=int((predictions == labels).sum()),
        predictions=tuple(predictions.tolist()),
        ties=frozenset(((best[:, 0] - best[:, 1]) < tie).nonzero().flatten().tolist()),
        loss_tolerance=CPU_LOSS_TOLERANCE if exact else GPU_LOSS_TOLERANCE,
    )
