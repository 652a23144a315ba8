"""Batch norm of narrow layers, and of any in bfloat16, on the CPU, faster than torch's.

For channels_last tensors torch's own kernel goes through the channels of one pixel at a time: it uses the processor's
vectors only when their number is a multiple of 16, for bfloat16 hardly at all, and adds up naively over hundreds of
thousands of pixels. Here a whole row of an image is taken as one pixel: (N, C, H, W) becomes a matrix (N * H, W * C)
without moving anything, whose columns, W for each channel, fill many vectors, and whose sums have fewer terms. The mean
of a channel is the mean of its columns' means; its variance the mean of their variances plus the variance of their
means, as all columns have as many values.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from core.device.torch_private import column_statistics, scaled_columns, scaled_columns_backward
from core.models.conv import is_channels_last_on_cpu

VECTOR = 16
"""float32 values in the widest vector registers of today's processors."""


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, with the same parameters, buffers and results, trained faster where that is possible."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self._is_slow_in_torch(x)):
            return super().forward(x)
        y, mean, variance = cast("tuple[Tensor, ...]", _Normalise.apply(x, self.weight, self.bias, self.eps))
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        with torch.no_grad():
            count = x.numel() // x.shape[1]
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return y

    def _is_slow_in_torch(self, x: Tensor) -> bool:
        return (
            (self.num_features % VECTOR != 0 or x.dtype is torch.bfloat16)
            and self.affine
            and is_channels_last_on_cpu(x)
            and x.numel() > x.shape[1]  # else there is no deviation, and torch says so
        )


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias over (N, H, W), and the mean and (biased) variance.

    Backward, with x' for the normalised x, g for the gradient of the output and n values in a channel (Ioffe and
    Szegedy, "Batch Normalization", 2015, section 3):

        bias gradient    sum(g)
        weight gradient  sum(g * x')
        x gradient       weight / sqrt(variance + eps) * (g - sum(g) / n - x' * sum(g * x') / n)
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        rows, width = _as_rows(x)
        means, variances = (one.view(width, -1) for one in column_statistics(rows, weight))
        mean = means.mean(0)
        variance = variances.mean(0) + means.var(0, correction=0)
        inverse = torch.rsqrt(variance + eps)
        scale = inverse * weight
        y = _scaled(rows, scale, bias - mean * scale, width)
        ctx.save_for_backward(rows, mean, inverse, scale)
        ctx.width, ctx.count = width, x.numel() // x.shape[1]
        ctx.mark_non_differentiable(mean, variance)
        # `data`, as a ReLU is to change it in place, which autograd does not allow for what it takes for a view.
        return _as_images(y, x.shape).data, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        rows, mean, inverse, scale = ctx.saved_tensors
        width, count = ctx.width, ctx.count
        shape = gradients[0].shape
        # The first term of the x gradient, and sums over each column, of g and of g * (x - mean).
        gradient = gradients[0].permute(0, 2, 3, 1).reshape(rows.shape)
        x_gradient, weight_gradients, bias_gradients = scaled_columns_backward(
            gradient, rows, _across(scale, width), _across(mean, width)
        )
        weight_gradient = weight_gradients.view(width, -1).sum(0) * inverse
        bias_gradient = bias_gradients.view(width, -1).sum(0)
        slope = -scale * inverse * weight_gradient / count
        x_gradient += _scaled(rows, slope, -scale * bias_gradient / count - slope * mean, width)
        return _as_images(x_gradient, shape), weight_gradient, bias_gradient, None


def _scaled(rows: Tensor, scale: Tensor, offset: Tensor, width: int) -> Tensor:
    """rows * scale + offset, rounded once."""
    if rows.dtype == scale.dtype:
        return torch.addcmul(_across(offset, width), rows, _across(scale, width))
    return scaled_columns(rows, _across(scale, width), _across(offset, width))


def _as_rows(x: Tensor) -> tuple[Tensor, int]:
    """A channels_last (N, C, H, W) as a matrix (N * H, W * C), and W."""
    batch, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(batch * height, width * channels), width


def _across(values: Tensor, width: int) -> Tensor:
    """A value for each channel, (C,), as one for each column of `_as_rows`. (`repeat` takes twice the time.)"""
    return values.expand(width, -1).contiguous().view(-1)


def _as_images(rows: Tensor, shape: torch.Size) -> Tensor:
    batch, channels, height, width = shape
    return rows.view(batch, height, width, channels).permute(0, 3, 1, 2)
