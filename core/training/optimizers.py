"""Stochastic gradient descent as torch does it, by the functions behind its optimizer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.config import TrainConfig
from core.device.torch_private import sgd_step


class SGD:
    """Moves a model's trained parameters by their gradients.

    The momentum buffers exist before the first step, as zeros: the weights are the same as if that step made them, and
    it is like any other, so that it can be recorded.

    Args:
        lr: (1,), read at each step.
    """

    def __init__(self, model: nn.Module, config: TrainConfig, lr: Tensor) -> None:
        self._trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
        # In the parameters' memory format: the fused kernel walks both in step.
        self.momentum = {
            name: torch.zeros_like(parameter, requires_grad=False)
            for name, parameter in self._trained.items()
            if config.momentum
        }
        self.lr = lr
        self._config = config
        # There is a single kernel for parameters of one type on one of these devices.
        kinds = {(parameter.device.type, parameter.dtype) for parameter in self._trained.values()}
        self._fused = len(kinds) == 1 and kinds.pop()[0] in ("cpu", "cuda")

    def zero_grad(self) -> None:
        for parameter in self._trained.values():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        names = [name for name, parameter in self._trained.items() if parameter.grad is not None]
        if names:
            parameters: list[Tensor] = [self._trained[name] for name in names]
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            self._move(parameters, gradients, [self.momentum[name] for name in names if self.momentum])

    def _move(self, parameters: list[Tensor], gradients: list[Tensor], momentum: list[Tensor]) -> None:
        """One step, in place, of parameters by their gradients; without momentum its list is empty."""
        sgd_step(
            parameters,
            gradients,
            momentum,
            lr=self.lr,
            momentum=self._config.momentum,
            nesterov=self._config.nesterov,
            weight_decay=self._config.weight_decay,
            fused=self._fused,
        )
