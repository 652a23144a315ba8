"""Engines execute steps.

A step is a function of nothing but tensors on the device (`core.training.step`, `core.training.evaluate`). An engine
calls it, or does the same faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor

from core.device.random_state import random_state, restore_random_state
from core.device.threads import threads_of, torch_threads, use_threads

BY_BATCH = {"sums": "batch", "segments": "whole"}
"""In the state of an engine: that no sum depends on how many threads there are, and that no layer is left to torch
because an earlier version left it there."""


class DeviceStep(Protocol):
    """Trains or evaluates on the next images of a list; the host gives nothing but their number."""

    def __call__(self, size: int) -> None:
        """Work on the next `size` images."""

    def sizes(self) -> list[int]:
        """All sizes that it will be called with."""

    def rewind(self) -> None:
        """Go back to the first images of the list, so that enough are left for a call of any size."""

    def changed(self) -> list[Tensor]:
        """All tensors that a call changes and a later one reads."""


Forward = Callable[[Tensor], Tensor]
"""A network's forward pass: images (B, 1, S, S) to logits (B, classes)."""


class Engine(Protocol):
    """Executes steps. `note` tells the user why it does not do what was asked for, if so; `kernels` where compiled
    ones that it runs come from.

    `threads` are those of a CPU that it computes on now, and `most_threads` how many there may be.
    """

    name: str
    note: str
    kernels: str

    @property
    def threads(self) -> int: ...

    @property
    def most_threads(self) -> int: ...

    def working(self) -> AbstractContextManager[None]:
        """A context for whatever a run computes."""

    def forward(self, model: Forward) -> Forward:
        """The function that steps call in the model's place: in training, and in evaluation mode without gradients."""

    def prepare(self, step: DeviceStep) -> None:
        """Get ready to run a step. All that a step changes is as before afterwards."""

    def run(self, step: DeviceStep, size: int) -> None:
        """Do what `step(size)` does."""

    def state(self, device: torch.device) -> dict[str, Any]:
        """What the order of sums depends on, ready for JSON, for a checkpoint."""

    def restore(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on with the order of sums of such a `state`, or of one that says nothing of it."""


class EagerEngine:
    """Calls each step as it is, on any device. Results of the other engines are compared with it."""

    name = "eager"

    def __init__(self, note: str = "") -> None:
        self.note = note
        self.kernels = ""

    @property
    def threads(self) -> int:
        return torch_threads()

    @property
    def most_threads(self) -> int:
        return torch_threads()

    def working(self) -> AbstractContextManager[None]:
        return nullcontext()

    def forward(self, model: Forward) -> Forward:
        return model

    def prepare(self, step: DeviceStep) -> None:
        pass

    def run(self, step: DeviceStep, size: int) -> None:
        step(size)

    def state(self, device: torch.device) -> dict[str, Any]:
        return {"threads": threads_of(device)}

    def restore(self, state: Mapping[str, Any], device: torch.device) -> None:
        use_threads(int(state.get("threads", 0)), device)


class Unchanged:
    """A context that restores, on exit, the tensors that a step changes and the random states.

    Within it the step begins with its first images: a run that is resumed may stand right before an epoch's last ones.
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
        """Restore everything within the context, too."""
        self._put_back()
        self._step.rewind()

    def _put_back(self) -> None:
        for tensor, before in zip(self._tensors, self._before, strict=True):
            tensor.copy_(before)
        restore_random_state(self._random, self._tensors[0].device)


def batch_sizes(count: int, size: int) -> list[int]:
    """The sizes of batches when `count` images are taken `size` at a time: of whole ones, and of the rest."""
    return [part for part in (size if count >= size else 0, count % size) if part]
