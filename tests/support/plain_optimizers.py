"""torch's own optimizers for a config, with nothing fused and nothing batched: what ours are compared with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from core.config import TrainConfig

PLAIN: dict[str, Any] = {"foreach": False, "fused": False}


class PlainOptimizer:
    """What somebody would write in a script: torch's optimizer, the penalty in the loss, `clip_grad_norm_` before it.

    muon is torch's for the matrices between the first and the last layer, a kernel being one, in float64 throughout;
    AdamW is torch's, too.
    """

    def __init__(self, model: nn.Module, config: TrainConfig) -> None:
        self._config = config
        self._parameters = [one for one in model.parameters() if one.requires_grad]
        owners = {id(one): module for module in model.modules() for one in module.parameters(recurse=False)}
        self._weights = [
            one for one in self._parameters if one.dim() > 1 and not re.search("Norm", type(owners[id(one)]).__name__)
        ]
        decayed = [one for one in self._parameters if config.decay == "all" or any(one is w for w in self._weights)]
        self._decayed = decayed
        self._views: list[tuple[nn.Parameter, nn.Parameter, int, int]] = []
        matrices: list[Tensor] = []
        if config.optimizer == "muon":
            matrices = [w for w in self._weights if self._shape(w, owners[id(w)])][:-1]
        for one in matrices:
            groups, rows, columns = self._shape(one, owners[id(one)])
            for group in range(groups):
                view = one.data.view(groups, rows, columns)[group]
                self._views.append((nn.Parameter(view), one, groups, group))
        rest = [one for one in self._parameters if not any(one is other for other in matrices)]
        self.optimizers = [self._make(config.optimizer if config.optimizer != "muon" else "adamw", rest)]
        if matrices:
            groups_of = [
                {
                    "params": [view for view, one, _, _ in self._views if (one_is(one, decayed)) == is_decayed],
                    "weight_decay": decay,
                }
                for is_decayed, decay in ((True, config.weight_decay), (False, 0.0))
            ]
            muon = torch.optim.Muon(
                [group for group in groups_of if group["params"]],
                lr=config.lr,
                momentum=config.momentum,
                nesterov=config.nesterov,
            )
            self.optimizers.append(muon)

    def _shape(self, tensor: Tensor, owner: nn.Module) -> tuple[int, int, int] | None:
        groups = owner.groups if isinstance(owner, nn.Conv2d) else 1
        rows, columns = len(tensor) // groups, tensor[0].numel()
        return (groups, rows, columns) if min(rows, columns) > 1 else None

    def _make(self, name: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        config = self._config
        groups = [
            {"params": [p for p in parameters if one_is(p, self._decayed)], "weight_decay": config.weight_decay},
            {"params": [p for p in parameters if not one_is(p, self._decayed)], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        betas = (config.beta1, config.beta2)
        match name:
            case "sgd":
                return torch.optim.SGD(groups, config.lr, config.momentum, nesterov=config.nesterov, **PLAIN)
            case "adam":
                return torch.optim.Adam(groups, config.lr, betas, config.eps, **PLAIN)
            case "adamw":
                return torch.optim.AdamW(groups, config.lr, betas, config.eps, **PLAIN)
            case _:
                return torch.optim.RMSprop(
                    groups, config.lr, config.alpha, config.eps, momentum=config.momentum, foreach=False
                )

    def penalty(self) -> Tensor:
        """What the loss has in addition."""
        return self._config.l1 * torch.stack([one.abs().sum() for one in self._decayed]).sum()

    def zero_grad(self) -> None:
        for one in self._parameters:
            one.grad = None

    def step(self, lr: float, momentum: float | None = None) -> None:
        """A step with this rate and, where it changes, this momentum (of adam and adamw beta1)."""
        if self._config.clip_norm:
            clip_grad_norm_(self._parameters, self._config.clip_norm, foreach=False)
        for view, one, groups, group in self._views:
            assert one.grad is not None
            view.grad = one.grad.reshape(groups, *view.shape)[group].clone()
        for optimizer in self.optimizers:
            of_others = self._config.optimizer == "muon" and isinstance(optimizer, torch.optim.AdamW)
            for group in optimizer.param_groups:
                group["lr"] = lr * self._config.adamw_lr / self._config.lr if of_others else lr
                if momentum is not None and not of_others:
                    if "betas" in group:
                        group["betas"] = (momentum, group["betas"][1])
                    else:
                        group["momentum"] = momentum
            with _in_full_precision():
                optimizer.step()


def one_is(tensor: Tensor, of: list[Any]) -> bool:
    return any(tensor is other for other in of)


@contextmanager
def _in_full_precision() -> Iterator[None]:
    """Within the block torch's Muon does not round matrices to bfloat16 before it makes them orthogonal."""
    with mock.patch.object(Tensor, "bfloat16", Tensor.clone):
        yield
