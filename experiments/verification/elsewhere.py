"""A run's stored weights scored on another data set than its own: on further images of the same classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.errors import InvalidValue
from experiments.inference.network import load_network
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.statistics.descriptive import share_of

FURTHER = {"qmnist": "qmnist-50k"}
"""Of a data set that holds a run's own test images, the part that does not: QMNIST's first 10,000 test images are
MNIST's."""


@dataclass(frozen=True, slots=True)
class ScoreElsewhere:
    """Test images of `dataset` that a run's final or best weights get right."""

    run_id: str
    dataset: str
    weights: str
    images: int
    correct: int
    loss: float

    @property
    def accuracy(self) -> float:
        return self.correct / self.images

    def to_json(self) -> dict[str, Any]:
        """The accuracy is a fraction, its interval Wilson's over the images."""
        interval = share_of(self.correct, self.images)
        return {
            "run_id": self.run_id,
            "dataset": self.dataset,
            "weights": self.weights,
            "images": self.images,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "low": interval.low,
            "high": interval.high,
            "loss": self.loss,
        }


def score_on(run: Run, locations: Locations, dataset: str, *, arch: str | None = None) -> ScoreElsewhere:
    """Score a run's final weights, or the best where it has no others, on the test images of a data set, as they were
    standardised in training.

    Args:
        dataset: as for a run; of QMNIST the 50,000 test images that MNIST has not.
        arch: for a user's own module its FILE.py:CLASS once more, so that no code is run that nobody named.

    Raises:
        RunError: when the run has no weights, or its files are damaged.
        InvalidValue: for images of another size, or with other classes.
        DataError: when the data set is missing or corrupt.
    """
    from core.data.loader import Loader
    from experiments.verification.rescoring import rescore

    network = load_network(run, arch=arch)
    data = Loader(locations.data, locations.cache).load(FURTHER.get(dataset, dataset))
    if data.task != network.task or data.classes != network.classes:
        own = f"{network.task.size}x{network.task.size} pixels in {network.task.classes} classes"
        allowed = f"must have images as those of the run, {own}, with the same names"
        raise InvalidValue("on", dataset, allowed, hint="for example qmnist for a run on mnist")
    found = rescore(network, data.test_images, data.test_labels, exact=True)
    return ScoreElsewhere(run.id, data.name, network.source, len(data.test_labels), found.correct, found.loss)
