"""Batch norm of narrow layers, and of any in bfloat16, on the CPU.

For channels_last tensors torch's own kernel works through one pixel's channels at a time: it uses the processor's
vectors only when their number is a multiple of 16, for bfloat16 hardly at all, and adds up naively over hundreds of
thousands of pixels. Here a whole row of an image is taken as one pixel, whose values fill many vectors, and the sums
have fewer terms.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

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
            and is_channels_last_on_cpu(x)
            and x.numel() > x.shape[1]  # else there is no deviation, and torch says so
        )


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias over (N, H, W), and the mean and (biased) variance.

    The gradient is that of Ioffe and Szegedy, "Batch Normalization" (2015), section 3.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        rows, width = _as_rows(x)
        # What it is given to update, and with no momentum leaves as it is, tells it in which precision to compute.
        found = torch.ops.aten.batch_norm_update_stats(rows, *_constants(weight, width), momentum=0.0)
        means, variances = (one.view(width, -1) for one in found)
        # All columns have as many values: their variances' mean, and the variance of their means.
        mean = means.mean(0)
        variance = variances.mean(0) + means.var(0, correction=0)
        inverse = torch.rsqrt(variance + eps)
        scale = inverse * weight
        y = _scaled(rows, scale, bias - mean * scale, width)
        ctx.save_for_backward(rows, mean, inverse, scale)
        ctx.width, ctx.count = width, x.numel() // x.shape[1]
        ctx.mark_non_differentiable(mean, variance)
        return _as_images(y, x.shape), mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        rows, mean, inverse, scale = ctx.saved_tensors
        width, count = ctx.width, ctx.count
        shape = gradients[0].shape
        # As if the mean were given and the deviation 1: the gradient times the scale, and sums over each column.
        x_gradient, weight_gradients, bias_gradients = torch.ops.aten.native_batch_norm_backward(
            gradients[0].permute(0, 2, 3, 1).reshape(rows.shape),
            rows,
            weight=_across(scale, width),
            running_mean=_across(mean, width),
            running_var=_constants(mean, width)[1],
            save_mean=None,
            save_invstd=None,
            train=False,
            eps=0.0,
            output_mask=[True, True, True],
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
    none, one = _constants(scale, width)  # a normalisation that takes mean and deviation to be these
    found: tuple[Tensor, ...] = torch.native_batch_norm(
        rows, _across(scale, width), _across(offset, width), none, one, training=False, momentum=0.0, eps=0.0
    )
    return found[0]


def _constants(like: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Zeros and ones, one for each column of `_as_rows`."""
    return like.new_zeros(width * len(like)), like.new_ones(width * len(like))


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
