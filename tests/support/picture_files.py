"""Image files as a test wants them: the one digit on them."""

from pathlib import Path

from torch import Tensor

from core.data.picture import read_digits


def read_picture(path: Path) -> Tensor:
    """The likeliest digit in an image file, as (28, 28) uint8; see `read_digits`."""
    return max(read_digits(path), key=lambda digit: digit.score).image
