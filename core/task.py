"""What a network is to do."""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST, LARGEST = 8, 64
"""Pixels across and down of the images that networks here are for."""
FEWEST, MOST = 2, 62
"""Classes that they may be of."""
DIGITS = tuple("0123456789")


@dataclass(frozen=True, slots=True)
class ImageTask:
    """Square grey images of `size` x `size` pixels, each of one of so many `classes`."""

    size: int = 28
    classes: int = 10

    @property
    def allowed(self) -> bool:
        """Whether networks here can be for it."""
        return SMALLEST <= self.size <= LARGEST and FEWEST <= self.classes <= MOST

    @property
    def pixels(self) -> str:
        """The shape of an image in words: ``1 x 28 x 28``."""
        return f"1 x {self.size} x {self.size}"

    @property
    def forward(self) -> str:
        """What a module of a user's own has to do, in words."""
        return f"forward takes (N, 1, {self.size}, {self.size}) and returns logits (N, {self.classes})"


MNIST_TASK = ImageTask()
"""The task of MNIST and of the data sets made in its likeness."""
