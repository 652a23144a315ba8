"""Stochastic gradient descent, the step of `torch.optim.SGD`."""

from __future__ import annotations

from torch import Tensor

from core.device.torch_private import (
    add_to_each,
    fused_sgd,
    has_fused_steps,
    multiply_each,
    products_of_each,
    sums_of_each,
)
from core.training.optimizers.rule import Momentum, Moving, Rule, zeros_like


class SGD(Rule):
    """Plain steps, or steps with momentum.

    The momentum buffers are zeros at first: the weights are the same as if the first step made them.
    """

    def __init__(self, lr: Tensor, momentum: Momentum, *, nesterov: bool) -> None:
        super().__init__(lr)
        self._momentum = momentum
        self._nesterov = nesterov

    def make_state(self, parameter: Tensor) -> dict[str, Tensor]:
        keeps = isinstance(self._momentum, Tensor) or self._momentum > 0
        return {"momentum": zeros_like(parameter)} if keeps else {}

    def at_once(self, moving: Moving) -> bool:
        if isinstance(self._momentum, Tensor) or not has_fused_steps(moving.parameters[0].device):
            return False
        fused_sgd(
            moving.parameters,
            moving.gradients,
            moving.state.get("momentum", []),
            lr=self.lr,
            momentum=self._momentum,
            nesterov=self._nesterov,
            weight_decay=moving.weight_decay,
        )
        return True

    def directions(self, moving: Moving) -> list[Tensor]:
        if not (buffers := moving.state.get("momentum", [])):
            return moving.gradients
        multiply_each(buffers, self._momentum)
        add_to_each(buffers, moving.gradients)
        if not self._nesterov:
            return buffers
        if not isinstance(self._momentum, Tensor):
            return sums_of_each(moving.gradients, buffers, self._momentum)
        ahead = products_of_each(buffers, self._momentum)
        add_to_each(ahead, moving.gradients)
        return ahead
