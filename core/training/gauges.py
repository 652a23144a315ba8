"""The gradient and the movement of each layer in one step, measured around it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from core.device.torch_private import copy_to_each, norms_of_each, sums_of_each
from core.training.optimizers.parameters import trained_parameters

DIGITS = 4
"""Significant digits that are kept: they are for people to look at, and every epoch has them in the log."""


@dataclass(frozen=True, slots=True)
class LayerGauges:
    """By layer, the norm of the gradient that the optimizer took its step by, and the norm of the change of the
    parameters as a share of their own. A layer without a finite value is left out."""

    gradient_norms: Mapping[str, float] = field(default_factory=dict)
    update_ratios: Mapping[str, float] = field(default_factory=dict)

    def to_state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Mapping[str, float]]) -> LayerGauges:
        return cls(**{name: {layer: float(value) for layer, value in of.items()} for name, of in state.items()})


class StepGauge:
    """Measures the layers of a network in a step: `before` it, then `read` after it.

    It changes no tensor of the step and draws no random numbers, so the weights are those of a run without it. The
    gradients are those that the parameters have after the step, whichever engine took it: a recorded step writes them
    to where they were when it was recorded. It is meant for one step of an epoch, the last, after which the device is
    waited for anyway.

    Args:
        copies: how many networks lie in each parameter one after another along its first dimension.
    """

    def __init__(self, model: nn.Module, copies: int = 1) -> None:
        trained = trained_parameters(model, copies)
        self._tensors = [one.tensor.detach() for one in trained]
        self._parameters = [one.tensor for one in trained]
        self._layers = [one.name.rpartition(".")[0] or one.name for one in trained]
        self._copies = copies
        self._before: list[Tensor] = []

    @torch.no_grad()
    def before(self) -> None:
        """Keep the parameters as they are."""
        if self._before:
            copy_to_each(self._before, self._tensors)
        else:
            self._before = [tensor.clone() for tensor in self._tensors]

    @torch.no_grad()
    def read(self) -> list[LayerGauges]:
        """What happened since `before`, for each copy; waits for the device."""
        if not self._tensors:
            return [LayerGauges()] * self._copies
        moved = self._norms(sums_of_each(self._tensors, self._before, -1.0))
        weights = self._norms(self._before)
        known = [(layer, one.grad) for layer, one in zip(self._layers, self._parameters, strict=True)]
        layers = [layer for layer, gradient in known if gradient is not None]
        gradients = self._norms([gradient for _, gradient in known if gradient is not None])
        return [
            LayerGauges(_shown(by_layer(layers, gradients[copy])), _shown(self._ratios(moved[copy], weights[copy])))
            for copy in range(self._copies)
        ]

    def _ratios(self, moved: Sequence[float], weights: Sequence[float]) -> dict[str, float]:
        change, size = by_layer(self._layers, moved), by_layer(self._layers, weights)
        return {layer: change[layer] / size[layer] for layer in change if size[layer] > 0}

    def _norms(self, tensors: Sequence[Tensor]) -> list[list[float]]:
        """For each copy the norm of its part of each tensor."""
        if not tensors:
            return [[] for _ in range(self._copies)]
        if self._copies == 1:
            return [torch.stack(norms_of_each(tensors)).tolist()]
        norms = [torch.linalg.vector_norm(one.reshape(self._copies, -1), dim=1) for one in tensors]
        of_each: list[list[float]] = torch.stack(norms, 1).tolist()
        return of_each


def by_layer(layers: Sequence[str], norms: Sequence[float]) -> dict[str, float]:
    """The norm of each layer from those of its parameters."""
    squares: dict[str, float] = {}
    for layer, norm in zip(layers, norms, strict=True):
        squares[layer] = squares.get(layer, 0.0) + norm * norm
    return {layer: math.sqrt(square) for layer, square in squares.items()}


def _shown(values: Mapping[str, float]) -> dict[str, float]:
    return {layer: float(f"{value:.{DIGITS}g}") for layer, value in values.items() if math.isfinite(value)}
