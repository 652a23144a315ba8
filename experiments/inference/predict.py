"""Which class a run's network sees in pictures from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.inference.network import LoadedNetwork


@dataclass(frozen=True, slots=True)
class Prediction:
    """`probabilities` are those of the ten classes, in their order."""

    path: Path
    prediction: int
    probabilities: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "prediction": self.prediction, "probabilities": list(self.probabilities)}

    def likeliest(self, count: int) -> list[tuple[int, float]]:
        """Classes and their probabilities, the highest first."""
        ranked = sorted(enumerate(self.probabilities), key=lambda item: -item[1])
        return ranked[:count]


def predict(network: LoadedNetwork, paths: Sequence[Path]) -> list[Prediction]:
    """Read every picture, then classify all of them.

    Raises:
        InvalidValue: naming the first file that is missing, no image, too large or of one colour.
    """
    import torch

    from core.data.picture import read_picture

    images = torch.stack([read_picture(path) for path in paths])
    probabilities = network.probabilities(images)
    classes = probabilities.argmax(1).tolist()
    rows = probabilities.tolist()
    return [Prediction(path, cls, tuple(row)) for path, cls, row in zip(paths, classes, rows, strict=True)]
