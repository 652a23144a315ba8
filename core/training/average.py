"""Copies and averages of a network's weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from core.config import TrainConfig
from core.device.torch_private import copy_to_each, lerp_each
from core.models.own.copying import copy_module


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, as contiguous copies on the CPU."""
    return {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }


def copy_of(tensor: Tensor, copy: int, copies: int) -> Tensor:
    """One copy's part of a tensor that holds those of all copies behind one another, as a view.

    A tensor of one number counts for all of them, and for a single network the part is the whole.
    """
    return tensor.chunk(copies)[copy] if tensor.dim() else tensor


class WeightAverage:
    """An exponential moving average of a model's parameters and running statistics.

    The first steps use a lower decay, (1 + n) / (10 + n) after n steps, so that the average forgets the initial weights
    in short runs too (as in TensorFlow's `ExponentialMovingAverage`).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy_module(model).eval().requires_grad_(False)
        self._decay = decay
        pairs = list(zip(_tensors(self.model), _tensors(model), strict=True))
        self._averages = [mean for mean, _ in pairs if mean.is_floating_point()]
        self._sources = [source for _, source in pairs if source.is_floating_point()]
        self._counters = [count for count, _ in pairs if not count.is_floating_point()]
        self._counted = [count for _, count in pairs if not count.is_floating_point()]

    def shares(self, first: int, count: int) -> Tensor:
        """The share of the model in the new average, for `count` steps of the run from `first` (counted from 0) on.

        (count,) float64 on the CPU: 1 minus the decay of each step.
        """
        steps = range(first, first + count)
        return torch.tensor([1 - min(self._decay, (1 + step) / (10 + step)) for step in steps], dtype=torch.float64)

    @torch.no_grad()
    def update(self, share: Tensor) -> None:
        """average += share * (model - average); `share`, (1,) on the model's device, is one of the `shares`."""
        lerp_each(self._averages, self._sources, [share.to(mean.dtype) for mean in self._averages])
        if self._counters:
            copy_to_each(self._counters, self._counted)


class EpochMean:
    """The plain mean of a model's parameters after each epoch from `first` on; before that, what they are.

    As torch's `AveragedModel` (Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018), whose buffers are
    the model's own: the statistics of batch norms are those of other weights, and have to be found anew.
    """

    def __init__(self, model: nn.Module, first: int) -> None:
        self.model = copy_module(model).eval().requires_grad_(False)
        self.first = first
        self._pairs = list(zip(_tensors(self.model), _tensors(model), strict=True))
        self._parameters = sum(1 for _ in model.parameters())

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> None:
        """Take in the model as it is after an epoch, counted from 1; to be called after each, once."""
        for place, (mean, source) in enumerate(self._pairs):
            if epoch > self.first and place < self._parameters and mean.is_floating_point():
                mean.lerp_(source, 1 / (epoch - self.first + 1))
            else:
                mean.copy_(source)


Average = WeightAverage | EpochMean


def average_of(model: nn.Module, config: TrainConfig) -> Average | None:
    """The average of a model's weights that a run scores in their place; None where it scores the weights."""
    if config.ema:
        return WeightAverage(model, config.ema_decay)
    return EpochMean(model, first_averaged(config)) if config.swa else None


def first_averaged(config: TrainConfig) -> int:
    """The first epoch, counted from 1, after which the weights are part of the plain mean."""
    return math.floor(config.swa_start * config.epochs + 1e-9) + 1


def averaged_words(config: TrainConfig) -> str:
    """What a run with a plain mean scores, for its record, also where it ends early; empty for others."""
    if not config.swa:
        return ""
    first = first_averaged(config)
    if first == config.epochs:
        return f"the mean of the weights would begin in epoch {first}, the last: the weights themselves are scored"
    before = ", before that the weights themselves" if first > 1 else ""
    return f"scored is the mean of the weights of all epochs from {first} on{before}"


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*(p.data for p in model.parameters()), *model.buffers()]
