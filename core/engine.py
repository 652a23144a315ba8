"""How a training step is executed.

The trainer says which images, in which order and at which learning rate; an engine turns that into changed weights and
running totals. Nothing in a step reads a value back from the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.augment import shift_images, warp_images
from core.config import TrainConfig
from core.evaluate import Pixels
from core.sampling import EpochDraw
from core.weights import WeightAverage


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the images trained on since the epoch began."""

    loss: float
    correct: int


class Engine(Protocol):
    """Executes steps on a model, an optimizer and a training set that it was made with."""

    def start_epoch(self, draw: EpochDraw) -> None:
        """Take the epoch's random draws and set the totals to zero."""

    def step(self, first: int, last: int, lr: float) -> None:
        """Train on the images from `first` up to `last` of the epoch's order."""

    def totals(self) -> Totals:
        """Read the totals back, waiting for the device."""

    def state(self) -> dict[str, Tensor]:
        """Copies on the CPU of all that the next steps depend on beside the model: momentum, totals, steps taken."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`, after `start_epoch` where an epoch is under way."""


class EagerEngine:
    """One operation after the other, on any device; what every other engine is measured against.

    Args:
        model: on the device, in training mode.
        images: (N, 28, 28) uint8 on the device.
        labels: (N,) int64 on the device.
        average: brought up to date after each step, where there is one.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainConfig,
        images: Tensor,
        labels: Tensor,
        pixels: Pixels,
        average: WeightAverage | None,
    ) -> None:
        self._model = model
        self._config = config
        self._images = images
        self._labels = labels
        self._pixels = pixels
        self._average = average
        self._device = images.device
        self._optimizer = make_optimizer(model, config, self._device)
        # MPS has no float64; elsewhere the sum of a whole epoch deserves it.
        self._loss = torch.zeros(
            (), device=self._device, dtype=torch.float32 if self._device.type == "mps" else torch.float64
        )
        self._correct = torch.zeros((), device=self._device, dtype=torch.int64)
        self._order: Tensor = torch.empty(0)
        self._changes: Tensor | None = None
        self._steps = 0

    def start_epoch(self, draw: EpochDraw) -> None:
        self._order = draw.order.to(self._device)
        self._changes = None if draw.changes is None else draw.changes.to(self._device)
        self._loss.zero_()
        self._correct.zero_()

    def step(self, first: int, last: int, lr: float) -> None:
        index = self._order[first:last]
        images = self._images.index_select(0, index)
        labels = self._labels.index_select(0, index)
        inputs = self._pixels(self._augmented(images, first, last))
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._config.precision == "bf16"):
            logits = self._model(inputs)
        logits = logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self._config.label_smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._optimizer.step()
        if self._average is not None:
            self._average.update(self._steps)
        self._steps += 1
        self._loss += loss.detach() * (last - first)
        self._correct += (logits.detach().argmax(1) == labels).sum()

    def totals(self) -> Totals:
        return Totals(float(self._loss), int(self._correct))

    def state(self) -> dict[str, Tensor]:
        state = {"loss": self._loss, "correct": self._correct, "steps": torch.tensor(self._steps)}
        for name, parameter in self._model.named_parameters():
            momentum = self._optimizer.state[parameter].get("momentum_buffer") if parameter.requires_grad else None
            if momentum is not None:
                state[f"momentum.{name}"] = momentum
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._loss.copy_(state["loss"])
        self._correct.copy_(state["correct"])
        self._steps = int(state["steps"])
        for name, parameter in self._model.named_parameters():
            if f"momentum.{name}" in state:
                # The fused optimizer walks parameter and momentum side by side in memory: both need the same strides.
                momentum = torch.empty_like(parameter, requires_grad=False).copy_(state[f"momentum.{name}"])
                self._optimizer.state[parameter]["momentum_buffer"] = momentum

    def _augmented(self, images: Tensor, first: int, last: int) -> Tensor:
        if self._changes is None:
            return images
        changes = self._changes[first:last]
        if self._config.augment == "shift":
            return shift_images(images, changes)
        return warp_images(images.float(), changes)


def make_optimizer(model: nn.Module, config: TrainConfig, device: torch.device) -> torch.optim.SGD:
    """SGD as the config asks for, fused into one kernel where torch can."""
    return torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad],
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
        fused=device.type in ("cpu", "cuda"),
    )
