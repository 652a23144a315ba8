"""Pictures as a test wants them: the one digit in a file, brightnesses, and which digit a form is."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from scipy import ndimage
from torch import Tensor

from core.data.photo.form import mnist_form
from core.data.picture import read_digits


def read_picture(path: Path) -> Tensor:
    """The likeliest digit in an image file, as (28, 28) uint8; see `read_digits`."""
    return max(read_digits(path), key=lambda digit: digit.score).image


def brightness(image: Image) -> NDArray[np.float32]:
    """(H, W) from 0 to 1."""
    return np.asarray(image.convert("L"), dtype=np.float32) / 255


def nearest(form: NDArray[np.float32], ten: NDArray[np.uint8]) -> int:
    """The one of the ten digits that correlates best with it, both blurred so that a pixel is no matter."""
    wanted = [mnist_form(digit.astype(np.float32) / 255) for digit in ten]
    blurred = [ndimage.gaussian_filter(image, 1.2).ravel() for image in (form, *wanted)]
    return int(np.corrcoef(blurred)[0, 1:].argmax())
