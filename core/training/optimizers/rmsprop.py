"""RMSprop, the step of `torch.optim.RMSprop`."""

from __future__ import annotations

from torch import Tensor

from core.device.torch_private import (
    add_products_to_each,
    add_quotients_to_each,
    add_to_each,
    multiply_each,
    quotients_of_each,
    roots_of_each,
)
from core.training.optimizers.rule import Momentum, Moving, Rule, zeros_like


class RMSprop(Rule):
    """Steps by the gradient over the root of the mean of its squares, with or without momentum.

    torch has no fused kernel for it; these are the operations of its `capturable` version, which reads the rate on the
    device.

    Args:
        alpha: what is kept of the mean of the squares.
    """

    def __init__(self, lr: Tensor, momentum: Momentum, alpha: float, eps: float) -> None:
        super().__init__(lr)
        self._momentum = momentum
        self._alpha = alpha
        self._eps = eps

    def make_state(self, parameter: Tensor) -> dict[str, Tensor]:
        state = {"square_avg": zeros_like(parameter)}
        if isinstance(self._momentum, Tensor) or self._momentum > 0:
            state["momentum"] = zeros_like(parameter)
        return state

    def directions(self, moving: Moving) -> list[Tensor]:
        squares = moving.state["square_avg"]
        multiply_each(squares, self._alpha)
        add_products_to_each(squares, moving.gradients, moving.gradients, 1 - self._alpha)
        roots = roots_of_each(squares)
        add_to_each(roots, self._eps)
        if not (buffers := moving.state.get("momentum", [])):
            return quotients_of_each(moving.gradients, roots)
        multiply_each(buffers, self._momentum)
        add_quotients_to_each(buffers, moving.gradients, roots)
        return buffers
