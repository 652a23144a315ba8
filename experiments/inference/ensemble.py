"""A group as one classifier: the mean of what its runs' networks say of each test image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidValue, RunError, ShouldStop
from experiments.inference.scoring import ReportProgress, score_run
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.statistics.descriptive import share_of


@dataclass(frozen=True, slots=True)
class EnsembleScore:
    """Test images that the mean of the probabilities gets right, and each run alone, in the order of the runs."""

    dataset: str
    images: int
    correct: int
    members: tuple[int, ...]

    @property
    def accuracy(self) -> float:
        return self.correct / self.images

    @property
    def mean_accuracy(self) -> float:
        """That of the runs alone, on average."""
        return sum(self.members) / (len(self.members) * self.images)

    def to_json(self) -> dict[str, Any]:
        """Accuracies are fractions, the interval is Wilson's over the test images."""
        interval = share_of(self.correct, self.images)
        return {
            "runs": len(self.members),
            "dataset": self.dataset,
            "images": self.images,
            "correct": self.correct,
            "test_accuracy": self.accuracy,
            "low": interval.low,
            "high": interval.high,
            "mean_test_accuracy": self.mean_accuracy,
        }


def score_ensemble(
    runs: Sequence[Run],
    locations: Locations,
    *,
    arch: str | None = None,
    should_stop: ShouldStop,
    report: ReportProgress = lambda *_: None,
) -> EnsembleScore:
    """Score the mean of the probabilities that the final weights of some runs give, on the CPU.

    Args:
        arch: as for `score_run`.

    Raises:
        InvalidValue: for fewer than two runs, or runs that were not scored on the same images.
        RunError, DataError, Stopped: as for `score_run`.
    """
    import torch

    if len(runs) < 2:
        raise InvalidValue("ensemble", len(runs), "needs at least two finished runs", hint="train more seeds of it")
    total: torch.Tensor | None = None
    first = None
    members: list[int] = []
    for number, run in enumerate(runs, start=1):
        report(f"run {number} of {len(runs)}", (number - 1) / len(runs))
        scored = score_run(run, locations, "final", arch=arch, should_stop=should_stop)
        if first is None:
            first = scored
        elif not (torch.equal(first.labels, scored.labels) and torch.equal(first.images, scored.images)):
            other = f"was not scored on the images of {first.run.id}"
            raise InvalidValue("ensemble", run.id, other, hint="name a group")
        probabilities = scored.outputs.probabilities.double()
        total = probabilities if total is None else total + probabilities
        members.append(scored.correct)
    if first is None or total is None:
        raise RunError("no run was scored")
    correct = int((total.argmax(1) == first.labels).sum())
    return EnsembleScore(first.dataset, len(first.labels), correct, tuple(members))
