"""What an optimizer's rule is: the state that it keeps of each parameter, and the way that each goes in a step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.device.torch_private import add_to_each, multiply_each, products_of_each, sums_of_each

Momentum = float | Tensor
"""What is kept of the step before: a number, or a tensor () that is read at each step."""


@dataclass(frozen=True, slots=True)
class Moving:
    """Parameters of one type and device that are moved together in a step, with their gradients.

    `state` has for each kind of state a tensor for each parameter. `blocks` has for each parameter how many matrices
    lie in it one after another along its first dimension: of copies, or of a convolution's groups.
    """

    parameters: list[Tensor]
    gradients: list[Tensor]
    blocks: Sequence[int]
    weight_decay: float
    state: Mapping[str, list[Tensor]]


class Rule(ABC):
    """Moves parameters by their gradients.

    The state exists before the first step and keeps its place, so that a step is like any other and can be recorded.

    Args:
        lr: (1,) for one model, (1, K) for K as one; read at each step.
    """

    decoupled = False
    """Whether weight decay is apart from the gradient: parameters shrink by lr * weight_decay."""

    def __init__(self, lr: Tensor) -> None:
        self.lr = lr

    @abstractmethod
    def make_state(self, parameter: Tensor) -> dict[str, Tensor]:
        """A parameter's state before the first step, by kind.

        In the parameter's memory format where it is of its shape, as fused kernels walk both in step.
        """

    @abstractmethod
    def directions(self, moving: Moving) -> list[Tensor]:
        """What each parameter moves by, times -lr; the state moves on, parameters and gradients stay as they are."""

    def at_once(self, _: Moving, /) -> bool:
        """Do all of a step of one model by a single kernel, where torch has it; else do nothing and return False."""
        return False

    def move(self, moving: Moving) -> None:
        """One step, in place."""
        if self.lr.dim() == 1 and self.at_once(moving):
            return
        parameters, decay = moving.parameters, moving.weight_decay
        if decay and not self.decoupled:
            gradients = sums_of_each(moving.gradients, parameters, decay)
            moving = Moving(parameters, gradients, moving.blocks, 0.0, moving.state)
        directions = self.directions(moving)
        if self.lr.dim() == 1:
            rate = self.lr.squeeze()
            if decay and self.decoupled:
                multiply_each(parameters, 1 - rate * decay)
            add_to_each(parameters, products_of_each(directions, -rate))
            return
        rates = self.lr.to(parameters[0].dtype).t()  # torch's kernels have one rate for all of a parameter
        for parameter, direction in zip(parameters, directions, strict=True):
            of_each = parameter.view(len(rates), -1)
            if decay and self.decoupled:
                of_each.mul_(1 - rates * decay)
            of_each.addcmul_(direction.reshape(len(rates), -1), rates, value=-1)


def zeros_like(parameter: Tensor) -> Tensor:
    """Zeros of a parameter's shape and memory format."""
    return torch.zeros_like(parameter, requires_grad=False)
