"""Classify pictures in files, and save drawings as such files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.advice import Action, Advice, Tip
from core.errors import StorageError
from core.storage.trust import make_private_folder

if TYPE_CHECKING:
    from torch import Tensor

    from experiments.inference.network import LoadedNetwork


@dataclass(frozen=True, slots=True)
class Prediction:
    """The predicted class of a picture, and the probability of each of the ten classes in order."""

    path: Path
    prediction: int
    probabilities: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "prediction": self.prediction, "probabilities": list(self.probabilities)}

    def likeliest(self, count: int) -> list[tuple[int, float]]:
        """The `count` most probable classes, each with its probability, the highest first."""
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


def save_drawing(home: Path, image: Tensor) -> Path:
    """Write grey pixels (H, W) uint8, light on black, to a new PNG file; returns its path.

    Raises:
        StorageError: when it cannot be written; no file is left behind.
    """
    from core.data.picture import write_picture

    folder = home / "drawings"
    try:
        make_private_folder(home)
        folder.mkdir(exist_ok=True)
        path = _new_file(folder, f"digit-{datetime.now(UTC):%Y%m%d-%H%M%S}")
        try:
            write_picture(path, image)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    except OSError as error:
        hint = Advice("free some space in the home folder, or ", Tip(Action.START_WITH, "home", "another one"))
        raise StorageError(f"{folder}: cannot be written: {error.strerror}", hint=hint) from error
    return path


def _new_file(folder: Path, stem: str) -> Path:
    """Make an empty file named `stem`, with the first free number after it where that name is taken."""
    number = 1
    while True:
        path = folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")
        try:
            path.touch(exist_ok=False)
            return path
        except FileExistsError:
            number += 1
