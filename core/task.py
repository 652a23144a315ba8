"""What a network is to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageTask:
    """Square grey images of `size` x `size` pixels, each of one of so many `classes`."""

    size: int = 28
    classes: int = 10


MNIST_TASK = ImageTask()
"""The task of MNIST and of the data sets made in its likeness."""
