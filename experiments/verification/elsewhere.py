"""A run's stored weights scored on another data set than its own: on further images of the same classes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.dataset_names import ALLOWED, PATTERN, identity_of, name_of
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
    """Test images of `dataset` that a run's final or best weights get right; `note` says what to know of them."""

    run_id: str
    dataset: str
    weights: str
    images: int
    correct: int
    loss: float
    note: str = ""

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
            "note": self.note,
        }


def score_on(run: Run, locations: Locations, dataset: str, *, arch: str | None = None) -> ScoreElsewhere:
    """Score a run's final weights, or the best where it has no others, on the test images of a data set, as they were
    standardised in training. Of data of one's own without such images all count, unless the run was trained on them.

    Args:
        dataset: as for a run; of QMNIST the 50,000 test images that MNIST has not.
        arch: for a user's own module its FILE.py:CLASS once more, so that no code is run that nobody named.

    Raises:
        RunError: when the run has no weights, or its files are damaged.
        InvalidValue: for no name of a data set, images of another size, or other classes.
        DataError: when the data set is missing or corrupt.
    """
    import torch

    from core.data.loader import Loader
    from experiments.verification.rescoring import rescore

    if not re.match(PATTERN, dataset) and not Path(dataset).exists():
        raise InvalidValue("on", dataset, f"must be {ALLOWED}")
    network = load_network(run, arch=arch)
    data = Loader(locations.data, locations.cache).load(FURTHER.get(dataset, dataset))
    if data.task != network.task or data.classes != network.classes:
        own = f"{network.task.size}x{network.task.size} pixels in {network.task.classes} classes"
        allowed = f"must have images as those of the run, {own}, with the same names"
        raise InvalidValue("on", dataset, allowed, hint="for example qmnist for a run on mnist")
    images, labels, note = data.test_images, data.test_labels, data.note
    if data.set_aside and identity_of(data.name) != identity_of(name_of(network.config.dataset)):
        images, labels = torch.cat((images, data.train_images)), torch.cat((labels, data.train_labels))
        note = f"there are no images to test on, so all {len(labels):,} were scored"
    found = rescore(network, images, labels, exact=True)
    return ScoreElsewhere(run.id, data.name, network.source, len(labels), found.correct, found.loss, note)
