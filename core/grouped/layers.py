"""The modules of a network's layers, each for many copies side by side, their parameters not yet set."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.layer import Layer, Option
from core.models.parts import Scale

PER_CHANNEL = {
    "Conv2d": ("in_channels", "out_channels", "groups"),
    "BatchNorm1d": ("num_features",),
    "BatchNorm2d": ("num_features",),
    "InstanceNorm2d": ("num_features",),
    "GroupNorm": ("num_groups", "num_channels"),
}
"""Modules of torch that keep copies apart when these options are as many times as large."""


def widened(layer: Layer, copies: int) -> nn.Module:
    """The module of a layer, which has none inside, for so many copies."""
    options = dict(layer.options)
    match layer.kind:
        case "Linear":
            inputs, outputs = _number(options["in_features"]), _number(options["out_features"])
            return GroupedLinear(copies, inputs, outputs, bias=bool(options.get("bias", True)))
        case "LayerNorm":
            shape = options["normalized_shape"]
            assert isinstance(shape, tuple)
            return GroupedLayerNorm(copies, shape, affine=bool(options.get("elementwise_affine", True)))
        case "Scale":
            factor = options["factor"]
            assert isinstance(factor, float)
            return Scale(factor)
        case kind:
            for name in PER_CHANNEL.get(kind, ()):
                options[name] = copies * _number(options[name])
            module: nn.Module = getattr(nn, kind)(**options)
            return module


class GroupedLinear(nn.Module):
    """A linear layer for each copy: (B, copies * inputs) to (B, copies * outputs)."""

    def __init__(self, copies: int, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__()
        self.copies = copies
        self.weight = nn.Parameter(torch.empty(copies * outputs, inputs))
        self.bias = nn.Parameter(torch.empty(copies * outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.view(self.copies, -1, self.weight.shape[1])
        x = x.view(len(x), self.copies, -1).transpose(0, 1)
        if self.bias is None:
            return torch.bmm(x, weight.mT).transpose(0, 1).flatten(1)
        bias = self.bias.view(self.copies, 1, -1)
        return torch.baddbmm(bias, x, weight.mT).transpose(0, 1).flatten(1)


class GroupedLayerNorm(nn.Module):
    """A layer norm over all that each copy has: (B, copies * C, H, W), or (B, copies * units)."""

    def __init__(self, copies: int, shape: tuple[int, ...], *, affine: bool) -> None:
        super().__init__()
        self.copies, self.shape = copies, shape
        first, *rest = shape
        self.weight = nn.Parameter(torch.empty(copies * first, *rest)) if affine else None
        self.bias = nn.Parameter(torch.empty(copies * first, *rest)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.layer_norm(x.reshape(len(x), self.copies, *self.shape), self.shape).reshape(x.shape)
        return y if self.weight is None or self.bias is None else torch.addcmul(self.bias, y, self.weight)


def _number(option: Option) -> int:
    assert isinstance(option, int)
    return option
