"""Classify pictures in files, and save drawings as such files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.advice import Action, Advice, Tip
from core.dataset_names import is_own
from core.errors import InvalidValue, StorageError
from core.storage.trust import make_private_folder
from core.task import DIGITS

if TYPE_CHECKING:
    from torch import Tensor

    from experiments.inference.network import LoadedNetwork


DOUBTFUL = 0.05
"""A class whose runner-up has so much of its probability, at least, is in doubt: see `Prediction.doubtful`."""
HANDWRITING = ("mnist", "emnist", "qmnist")
"""How the names of data sets of handwriting begin. For networks that were trained on others a picture is an image as it
is: it is not searched for digits."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The predicted class of a digit on a picture, and the probability of each of the `classes` in order.

    `digit` and `digits` say which it is of how many on the picture, from left to right, `box` where it lies (left, top,
    width, height in pixels), and `image`, (S, S) uint8, is what the network was given.
    """

    path: Path
    prediction: int
    probabilities: tuple[float, ...]
    digit: int
    digits: int
    box: tuple[int, int, int, int]
    image: Tensor
    classes: tuple[str, ...] = DIGITS

    @property
    def name(self) -> str:
        """That of the predicted class."""
        return self.classes[self.prediction]

    @property
    def doubtful(self) -> bool:
        """Whether another class is nearly as likely. Held against MNIST's own errors: of the 10,000 test images a
        network of 99.59% doubts 322, among them 40 of its 41 errors; one of 99.03% doubts 478, with 79 of its 97."""
        (_, first), (_, second) = self.likeliest(2)
        return second >= DOUBTFUL * first

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "prediction": self.prediction,
            "class": self.name,
            "probabilities": list(self.probabilities),
            "digit": self.digit,
            "digits": self.digits,
            "box": list(self.box),
            "doubtful": self.doubtful,
        }

    def likeliest(self, count: int) -> list[tuple[int, float]]:
        """The `count` most probable classes, each with its probability, the highest first."""
        ranked = sorted(enumerate(self.probabilities), key=lambda item: -item[1])
        return ranked[:count]


def is_handwriting(dataset: str) -> bool:
    """Whether a data set is of digits or letters written by hand, in MNIST's form."""
    return dataset.startswith(HANDWRITING) and not is_own(dataset)


def predict(
    network: LoadedNetwork, paths: Sequence[Path], *, many: bool = False
) -> tuple[list[Prediction], list[InvalidValue]]:
    """Classify the digits on pictures: of each picture the likeliest digit, or with `many` all of them.

    Returns:
        The predictions, and an error for each picture that is missing, no image, too large, or without a digit.
    """
    import torch

    from core.data.picture import PicturedDigit, read_digits, read_whole, scaled

    dataset, size = network.config.dataset, network.task.size
    found: list[tuple[Path, int, int, PicturedDigit]] = []
    errors = []
    for path in paths:
        try:
            if is_handwriting(dataset):
                digits = read_digits(path)
            else:
                digits = [PicturedDigit(read_whole(path, size), (0, 0, 0, 0), 1.0)]
        except InvalidValue as error:
            errors.append(error)
            continue
        likeliest = max(digits, key=lambda digit: digit.score)
        numbered = [(path, number, len(digits), digit) for number, digit in enumerate(digits, 1)]
        found += [one for one in numbered if many or one[3] is likeliest]
    if not found:
        return [], errors
    images = torch.stack([scaled(digit.image, size) for *_, digit in found])
    rows = network.probabilities(images)
    predictions = [
        Prediction(path, int(row.argmax()), tuple(row.tolist()), number, count, digit.box, image, network.classes)
        for (path, number, count, digit), image, row in zip(found, images, rows, strict=True)
    ]
    return predictions, errors


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
