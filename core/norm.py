"""Batch norm for narrow layers on the CPU.

For channels_last tensors torch's own kernel works through one pixel's channels at a time: it uses the processor's
vectors only when their number is a multiple of 16, and adds up naively over hundreds of thousands of pixels. Here
several pixels are taken as one row of a matrix, which fills the vectors whatever the width, and torch's reductions add
up pairwise.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

VECTOR = 16
"""float32 values in the widest vector registers of today's processors."""
ROW = 64
"""Values that a row of the matrix should have at least."""


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, with the same parameters, buffers and results, trained faster where that is possible."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self._is_narrow_and_on_cpu(x)):
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

    def _is_narrow_and_on_cpu(self, x: Tensor) -> bool:
        return (
            x.device.type == "cpu"
            and self.num_features % VECTOR != 0
            and x.dtype in (torch.float32, torch.float64)
            and x.is_contiguous(memory_format=torch.channels_last)
            and x.numel() > x.shape[1]  # else there is no deviation, and torch says so
        )


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias over (N, H, W), and the mean and (biased) variance.

    The gradient is that of Ioffe and Szegedy, "Batch Normalization" (2015), section 3.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        matrix, pixels = _as_matrix(x)
        count = x.numel() // x.shape[1]
        mean = _sum(matrix, pixels) / count
        variance = _sum((matrix - mean.repeat(pixels)).square_(), pixels) / count
        inverse = torch.rsqrt(variance + eps)
        scale = inverse * weight
        y = torch.addcmul((bias - mean * scale).repeat(pixels), matrix, scale.repeat(pixels))
        ctx.save_for_backward(matrix, mean, inverse, scale)
        ctx.pixels, ctx.count = pixels, count
        ctx.mark_non_differentiable(mean, variance)
        return _as_images(y, x.shape), mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        matrix, mean, inverse, scale = ctx.saved_tensors
        pixels, count = ctx.pixels, ctx.count
        shape = gradients[0].shape
        gradient = gradients[0].permute(0, 2, 3, 1).reshape(matrix.shape)
        bias_gradient = _sum(gradient, pixels)
        product = gradient * matrix
        weight_gradient = (_sum(product, pixels) - mean * bias_gradient) * inverse
        slope = -scale * inverse * weight_gradient / count
        offset = -scale * bias_gradient / count - slope * mean
        x_gradient = torch.addcmul(offset.repeat(pixels), matrix, slope.repeat(pixels), out=product)
        x_gradient.addcmul_(gradient, scale.repeat(pixels))
        return _as_images(x_gradient, shape), weight_gradient, bias_gradient, None


def _as_matrix(x: Tensor) -> tuple[Tensor, int]:
    """A channels_last (N, C, H, W) as a matrix whose rows are so many pixels' channels side by side."""
    channels = x.shape[1]
    count = x.numel() // channels
    pixels = 1
    while (channels * pixels < ROW or channels * pixels % VECTOR) and count % (2 * pixels) == 0:
        pixels *= 2
    return x.permute(0, 2, 3, 1).reshape(count // pixels, channels * pixels), pixels


def _as_images(matrix: Tensor, shape: torch.Size) -> Tensor:
    batch, channels, height, width = shape
    return matrix.view(batch, height, width, channels).permute(0, 3, 1, 2)


def _sum(matrix: Tensor, pixels: int) -> Tensor:
    """The sum over all pixels, for each channel."""
    return matrix.sum(0).view(pixels, -1).sum(0)
