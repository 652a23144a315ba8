"""How a step is executed.

A step is a function of tensors on the device alone (`core.training.step`, `core.training.evaluate`). An engine
calls it, or does what calling it would do, faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from core.device.random_state import random_state, restore_random_state


class DeviceStep(Protocol):
    """Work on the next images of a list, which takes nothing from the host but their number."""

    def __call__(self, size: int) -> None:
        """Work on the next `size` images."""

    def sizes(self) -> list[int]:
        """The numbers that it will be called with."""

    def rewind(self) -> None:
        """Make the first images of the list the next, so that there are enough left for a call of any size."""

    def changed(self) -> list[Tensor]:
        """All tensors that a call changes and a later one reads."""


Forward = Callable[[Tensor], Tensor]
"""A network's forward pass: images (B, 1, 28, 28) to logits (B, 10)."""


class Engine(Protocol):
    """Executes steps. `note` says what a user should know: why it does not do what was asked for."""

    name: str
    note: str

    def forward(self, model: Forward) -> Forward:
        """What steps should call in the model's place, in training and, without gradients, in evaluation mode."""

    def prepare(self, step: DeviceStep) -> None:
        """Get ready to run a step; everything that it changes is as before afterwards."""

    def run(self, step: DeviceStep, size: int) -> None:
        """Do what `step(size)` does."""


class EagerEngine:
    """One operation after the other, on any device; what every other engine is measured against."""

    name = "eager"

    def __init__(self, note: str = "") -> None:
        self.note = note

    def forward(self, model: Forward) -> Forward:
        return model

    def prepare(self, step: DeviceStep) -> None:
        pass

    def run(self, step: DeviceStep, size: int) -> None:
        step(size)


class Unchanged:
    """Puts what a step changes, in place, and the random states back to what they were before the block.

    Within the block the step begins with its first images, wherever it stood: a run may go on right before the last
    ones of an epoch.
    """

    def __init__(self, step: DeviceStep) -> None:
        self._step = step
        self._tensors = [tensor.detach() for tensor in step.changed()]

    def __enter__(self) -> Unchanged:
        self._before = [tensor.clone() for tensor in self._tensors]
        self._random = random_state(self._tensors[0].device)
        self._step.rewind()
        return self

    def __exit__(self, *_: object) -> None:
        self._put_back()

    def start_over(self) -> None:
        """Make everything, within the block, as it was when the block began."""
        self._put_back()
        self._step.rewind()

    def _put_back(self) -> None:
        for tensor, before in zip(self._tensors, self._before, strict=True):
            tensor.copy_(before)
        restore_random_state(self._random, self._tensors[0].device)


def batch_sizes(count: int, size: int) -> list[int]:
    """The different sizes of the batches when so many images are taken `size` at a time: the whole ones, the rest."""
    return [part for part in (size if count >= size else 0, count % size) if part]
