"""A test image and what networks say of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.task import DIGITS


@dataclass(frozen=True, slots=True)
class Opinion:
    """The prediction of one network, called `who` where there are several: a probability for each class, and the
    class."""

    probabilities: NDArray[np.float32]
    prediction: int
    who: str = ""


@dataclass(frozen=True, slots=True)
class Digit:
    """One image, (S, S) uint8; `index` is its place among the test images, from 0, and `names` are those of classes."""

    index: int
    image: NDArray[np.uint8]
    truth: int
    opinions: tuple[Opinion, ...]
    names: tuple[str, ...] = DIGITS
