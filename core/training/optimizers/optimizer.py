"""The optimizer of a config: which rule moves which parameters, and what is done to all gradients before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from core.config import TrainConfig
from core.training.optimizers.adam import Adam
from core.training.optimizers.gradients import add_l1, clip_norm
from core.training.optimizers.muon import Muon
from core.training.optimizers.parameters import Parameter, trained_parameters
from core.training.optimizers.rmsprop import RMSprop
from core.training.optimizers.rule import Momentum, Moving, Rule
from core.training.optimizers.sgd import SGD


class Optimizer:
    """Moves a model's trained parameters by their gradients; one without a gradient is left alone.

    Every number that may change from step to step is read from a tensor on the device, and all state exists before the
    first step: `state` by kind and parameter, as in "momentum.0.weight".

    Args:
        lr: (1,), or (1, K) for a model that is K copies.
        momentum: (1,), where it changes from step to step: the momentum, of adam and adamw beta1.
        highest: for each copy the learning rate beside which AdamW, in muon, has `adamw_lr`; by default the config's.
        in_use: as in `trained_parameters`.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainConfig,
        lr: Tensor,
        momentum: Tensor | None = None,
        highest: Sequence[float] = (),
        in_use: Sequence[str] = (),
    ) -> None:
        self.lr = lr
        self._config = config
        self._copies = lr.shape[1] if lr.dim() > 1 else 0
        factors = [config.adamw_lr / one for one in highest or [config.lr] * lr.numel()]
        self._adamw_factor = torch.tensor(factors, dtype=lr.dtype, device=lr.device).view_as(lr)
        self._adamw_lr = torch.zeros_like(lr)
        trained = trained_parameters(model, max(self._copies, 1), in_use)
        self._trained = [one.tensor for one in trained]
        decayed = [one for one in trained if one.is_weight or config.decay == "all"]
        self._decayed = [one.tensor for one in decayed]
        self._parts = [
            _Part(rule, config.weight_decay if of_group is decayed else 0.0, alike)
            for rule, ruled in self._rules(trained, momentum)
            for of_group in (decayed, [one for one in trained if one not in decayed])
            for alike in _alike([one for one in ruled if one in of_group])
        ]
        self.state = {name: tensor for part in self._parts for name, tensor in part.named_state()}

    def zero_grad(self) -> None:
        for parameter in self._trained:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        if self._config.l1:
            add_l1(self._decayed, self._config.l1)
        if self._config.clip_norm:
            clip_norm(self._trained, self._config.clip_norm, self._copies)
        if self._config.optimizer == "muon":
            torch.mul(self.lr, self._adamw_factor, out=self._adamw_lr)
        for part in self._parts:
            part.move()

    def _rules(self, trained: Sequence[Parameter], changing: Tensor | None) -> list[tuple[Rule, Sequence[Parameter]]]:
        """The rules of the config, each with its parameters."""
        config = self._config
        now = None if changing is None else changing.squeeze()
        momentum: Momentum = config.momentum if now is None else now
        beta1: Momentum = config.beta1 if now is None else now
        match config.optimizer:
            case "sgd":
                return [(SGD(self.lr, momentum, nesterov=config.nesterov), trained)]
            case "adam" | "adamw":
                decoupled = config.optimizer == "adamw"
                return [(Adam(self.lr, beta1, config.beta2, config.eps, decoupled=decoupled), trained)]
            case "rmsprop":
                return [(RMSprop(self.lr, momentum, config.alpha, config.eps), trained)]
            case "muon":
                adamw = Adam(self._adamw_lr, config.beta1, config.beta2, config.eps, decoupled=True)
                return [
                    (Muon(self.lr, momentum, nesterov=config.nesterov), [p for p in trained if p.is_hidden_matrix]),
                    (adamw, [p for p in trained if not p.is_hidden_matrix]),
                ]


class _Part:
    """Parameters of one type and device that one rule moves, with one weight decay."""

    def __init__(self, rule: Rule, weight_decay: float, parameters: Sequence[Parameter]) -> None:
        self._rule = rule
        self._weight_decay = weight_decay
        self._names = [one.name for one in parameters]
        self._tensors = [one.tensor for one in parameters]
        self._blocks = [one.blocks for one in parameters]
        states = [rule.make_state(one.tensor) for one in parameters]
        self._state = {kind: [state[kind] for state in states] for kind in states[0]}

    def named_state(self) -> Iterator[tuple[str, Tensor]]:
        for kind, tensors in self._state.items():
            for name, tensor in zip(self._names, tensors, strict=True):
                yield f"{kind}.{name}", tensor

    def move(self) -> None:
        """One step of those that have a gradient."""
        gradients = [tensor.grad for tensor in self._tensors]
        given = [gradient for gradient in gradients if gradient is not None]
        if len(given) == len(gradients):
            self._rule.move(Moving(self._tensors, given, self._blocks, self._weight_decay, self._state))
        elif given:
            places = [place for place, gradient in enumerate(gradients) if gradient is not None]
            state = {kind: [tensors[place] for place in places] for kind, tensors in self._state.items()}
            tensors = [self._tensors[place] for place in places]
            blocks = [self._blocks[place] for place in places]
            self._rule.move(Moving(tensors, given, blocks, self._weight_decay, state))


def _alike(parameters: Sequence[Parameter]) -> list[list[Parameter]]:
    """The parameters by type and device."""
    kinds = dict.fromkeys((one.tensor.device, one.tensor.dtype) for one in parameters)
    return [[one for one in parameters if (one.tensor.device, one.tensor.dtype) == kind] for kind in kinds]
