"""Convolution of narrow layers on the CPU, faster than torch's.

torch's kernels (oneDNN's) fill the processor's vectors with output channels, sixteen at a time, and are slow where rows
are padded left and right, as they are in the backward pass of a convolution without padding. Two things help:

- The gradient of the output is copied into rows that really have those zeros at their ends.
- Where few channels come out, two neighbouring pixels are taken as one with twice the channels: (N, C, H, W) becomes
  (N, 2C, H, W/2), which in channels_last is a view. A kernel of K columns becomes one of (K + 1) / 2 pairs of columns,
  once for the left and once for the right pixel of an output pair, with zeros where a pair sticks out.

Sums are taken in another order; otherwise the results are the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.device.torch_private import convolution_gradients

NARROW = 8
"""Channels of which two pixels fill a vector. For 3x3 a third more is multiplied then, by zeros, at twice the speed."""


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, with the same parameters and results, trained faster where that is possible."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self._is_narrow_and_plain() and is_channels_last_on_cpu(x)):
            return super().forward(x)
        tensors: tuple[Tensor | None, ...] = (x, self.weight, self.bias)
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            tensors = tuple(None if tensor is None else tensor.to(dtype) for tensor in tensors)
        return cast("Tensor", _Convolve.apply(*tensors))

    def _is_narrow_and_plain(self) -> bool:
        height, width = self.kernel_size
        return (
            self.in_channels <= NARROW
            and height == width > 1
            and width % 2 == 1
            and (self.groups, self.stride, self.padding, self.dilation) == (1, (1, 1), (0, 0), (1, 1))
            # A depthwise part of one channel stays torch's, whose rounding runs of it have had from the first.
            and (self.bias is not None or self.out_channels > 1)
        )


def is_channels_last_on_cpu(x: Tensor) -> bool:
    """Whether the faster convolutions and norms of this package take a tensor; torch.compile generates its own."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64, torch.bfloat16)
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch.compiler.is_compiling()
    )


class _Convolve(torch.autograd.Function):
    """(N, C, H, W) and weights (O, C, K, K), and a bias (O,) if any, to (N, O, H - K + 1, W - K + 1)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        # `data`, as a ReLU is to change it in place, which autograd does not allow for what it takes for a view.
        return _correlate(x, weight, bias).data

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        (gradient,) = gradients
        needs_x, _, needs_bias = ctx.needs_input_grad
        x_gradient, border = None, 0
        if needs_x:
            border = weight.shape[3] - 1
            gradient = _with_border(gradient, border)
            x_gradient = _correlate(gradient, weight.flip(2, 3).transpose(0, 1), None, rows=border)
        weight_gradient, bias_gradient = _weight_gradient(x, gradient, weight, border)
        return x_gradient, weight_gradient, bias_gradient if needs_bias else None


def _correlate(x: Tensor, weight: Tensor, bias: Tensor | None, *, rows: int = 0) -> Tensor:
    """The convolution with so many rows of zeros added above and below."""
    if not _in_pairs(weight, x):
        return F.conv2d(x, weight, bias, padding=(rows, 0))
    return _unpaired(
        F.conv2d(_paired(x), _paired_weight(weight), None if bias is None else bias.repeat(2), padding=(rows, 0))
    )


def _weight_gradient(x: Tensor, gradient: Tensor, weight: Tensor, border: int) -> tuple[Tensor, Tensor]:
    """The gradients of weights and bias from that of the output, which has so many zeros at the ends of each row."""
    paired = _in_pairs(weight, x)
    if paired:
        x, gradient, border = _paired(x), _paired(gradient), border // 2
    shape = _paired_places(weight.shape).shape if paired else weight.shape
    weight_gradient, bias_gradient = convolution_gradients(gradient, x, shape, border)
    if paired:
        weight_gradient = weight_gradient.reshape(-1)[_places_in_pairs(weight.shape)].sum(-1)
        bias_gradient = bias_gradient.view(2, -1).sum(0)
    return weight_gradient, bias_gradient


def _with_border(images: Tensor, border: int) -> Tensor:
    """A channels_last copy with so many zeros before and behind each row."""
    batch, channels, height, width = images.shape
    wide = images.new_empty(batch, height, width + 2 * border, channels)
    wide[:, :, :border].zero_()
    wide[:, :, border + width :].zero_()
    wide[:, :, border : border + width].copy_(images.permute(0, 2, 3, 1))
    return wide.permute(0, 3, 1, 2)


def _in_pairs(weight: Tensor, x: Tensor) -> bool:
    """Whether pixels are taken in pairs; an odd kernel then leaves an even number of them in each row."""
    return weight.shape[0] <= NARROW and x.shape[3] % 2 == 0


def _paired(x: Tensor) -> Tensor:
    """(N, C, H, W) as (N, 2C, H, W/2): the channels of the left pixel, then those of the right one. A view."""
    batch, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1)
    return pixels.reshape(batch, height, width // 2, 2 * channels).permute(0, 3, 1, 2)


def _unpaired(y: Tensor) -> Tensor:
    """The inverse of `_paired`."""
    batch, channels, height, width = y.shape
    return y.permute(0, 2, 3, 1).reshape(batch, height, 2 * width, channels // 2).permute(0, 3, 1, 2)


def _paired_weight(weight: Tensor) -> Tensor:
    """Weights (O, C, K, K) as weights for pairs (2O, 2C, K, (K+1)/2): each is there twice, the rest are zeros."""
    return F.pad(weight.reshape(-1), (0, 1))[_paired_places(weight.shape)]


@lru_cache(maxsize=64)
def _paired_places(shape: torch.Size) -> Tensor:
    """The index of each weight for pairs among the plain ones, flattened and with a zero appended."""
    outputs, inputs, height, width = shape
    places = torch.arange(shape.numel()).view(shape)
    left, right = (F.pad(places, columns, value=shape.numel()) for columns in ((0, 1), (1, 0)))
    of_pixel = torch.stack([left, right]).view(2, outputs, inputs, height, (width + 1) // 2, 2)
    return of_pixel.permute(0, 1, 5, 2, 3, 4).reshape(2 * outputs, 2 * inputs, height, -1)


@lru_cache(maxsize=64)
def _places_in_pairs(shape: torch.Size) -> Tensor:
    """The two indices, in a last dimension, of each plain weight among those for pairs, flattened."""
    return _paired_places(shape).flatten().argsort(stable=True)[: 2 * shape.numel()].view(*shape, 2)
