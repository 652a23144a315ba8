"""Stochastic gradient descent as torch does it, by the functions behind its optimizer.

The optimizer itself imports torch's compiler when the first one is made, which every run would wait a second for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from core.config import TrainConfig


class SGD:
    """Moves a model's trained parameters by their gradients.

    The momentum is there before the first step, as zeros, which gives the same weights as none and makes that step like
    any other.

    Args:
        lr: read at each step, (1,).
    """

    def __init__(self, model: nn.Module, config: TrainConfig, lr: Tensor) -> None:
        trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        self.parameters = list(trained.values())
        # In the parameters' memory format: the fused kernel walks both in step.
        self.momentum = {
            name: torch.zeros_like(parameter, requires_grad=False)
            for name, parameter in trained.items()
            if config.momentum
        }
        self.lr = lr
        self._config = config
        # What there is a single kernel for.
        kinds = {(parameter.device.type, parameter.dtype) for parameter in self.parameters}
        self._fused = len(kinds) == 1 and kinds.pop()[0] in ("cpu", "cuda")

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        buffers: list[Tensor | None] = list(self.momentum.values()) or [None] * len(self.parameters)
        moved = [
            (parameter, parameter.grad, buffer)
            for parameter, buffer in zip(self.parameters, buffers, strict=True)
            if parameter.grad is not None
        ]
        self._move([one[0] for one in moved], [one[1] for one in moved], [one[2] for one in moved])

    def _move(self, parameters: list[Tensor], gradients: list[Tensor], momentum: list[Tensor | None]) -> None:
        if not parameters:
            return
        move: Callable[..., None] = sgd
        if self._fused:  # the kernel itself: `sgd` takes longer to find it than it runs on a CPU
            move = partial(torch._fused_sgd_, is_first_step=False)
            momentum = [buffer for buffer in momentum if buffer is not None]
        move(
            parameters,
            gradients,
            momentum,
            weight_decay=self._config.weight_decay,
            momentum=self._config.momentum,
            lr=self.lr,
            dampening=0.0,
            nesterov=self._config.nesterov,
            maximize=False,
        )
