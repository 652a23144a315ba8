"""Adam and AdamW, the steps of `torch.optim.Adam` and `torch.optim.AdamW`."""

from __future__ import annotations

import torch
from torch import Tensor

from core.device.torch_private import (
    add_products_to_each,
    add_to_each,
    count_each,
    fused_adam,
    has_fused_steps,
    lerp_each,
    multiply_each,
    quotients_of_each,
    roots_of_each,
)
from core.training.optimizers.rule import Momentum, Moving, Rule, zeros_like


class Adam(Rule):
    """Steps by the mean of the gradients over the root of the mean of their squares.

    Args:
        beta1: what is kept of the mean of the gradients.
        beta2: what is kept of the mean of their squares.
        decoupled: AdamW, with weight decay apart from the gradient.
    """

    def __init__(self, lr: Tensor, beta1: Momentum, beta2: float, eps: float, *, decoupled: bool) -> None:
        super().__init__(lr)
        self.decoupled = decoupled
        self._beta1 = beta1
        self._beta2 = beta2
        self._eps = eps

    def make_state(self, parameter: Tensor) -> dict[str, Tensor]:
        # torch's kernels read the number of steps as float32.
        count = torch.zeros((), dtype=torch.float32, device=parameter.device)
        return {"exp_avg": zeros_like(parameter), "exp_avg_sq": zeros_like(parameter), "step": count}

    def at_once(self, moving: Moving) -> bool:
        if isinstance(self._beta1, Tensor) or not has_fused_steps(moving.parameters[0].device):
            return False
        count_each(moving.state["step"])
        fused_adam(
            moving.parameters,
            moving.gradients,
            moving.state["exp_avg"],
            moving.state["exp_avg_sq"],
            moving.state["step"],
            lr=self.lr,
            betas=(self._beta1, self._beta2),
            eps=self._eps,
            weight_decay=moving.weight_decay,
            decoupled=self.decoupled,
        )
        return True

    def directions(self, moving: Moving) -> list[Tensor]:
        means, squares = moving.state["exp_avg"], moving.state["exp_avg_sq"]
        count_each(moving.state["step"])
        steps = torch.stack(moving.state["step"]).to(self.lr.dtype)
        lerp_each(means, moving.gradients, 1 - self._beta1)
        multiply_each(squares, self._beta2)
        add_products_to_each(squares, moving.gradients, moving.gradients, 1 - self._beta2)
        # Both means begin at 0, which the number of steps makes up for.
        found = roots_of_each(squares)
        found = quotients_of_each(found, list((1 - self._beta2**steps).sqrt()))
        add_to_each(found, self._eps)
        found = quotients_of_each(means, found)
        return quotients_of_each(found, list(1 - self._beta1**steps))
