"""Elastic distortions: each pixel moves by random amounts that are smooth over the image.

After Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual document
analysis", 2003: two fields of numbers, uniform from -1 to 1, smoothed by a Gaussian and multiplied by a strength, are
how far each pixel is moved to the right and down.

The numbers of a field come from a seed for each image, by a hash of seed and place in whole numbers: they are the same
on every device, and need not be kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

TRUNCATED = 4.0
"""The Gaussian ends at so many deviations, as scipy's does."""


def gaussian_matrix(sigma: float, size: int) -> Tensor:
    """The matrix (size, size), float64, that smooths a column of pixels, which are 0 outside.

    Its weights are those of `scipy.ndimage.gaussian_filter1d` with a mode of "constant".
    """
    radius = int(TRUNCATED * sigma + 0.5)
    steps = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    places = torch.arange(size)
    apart = places[:, None] - places
    inside = apart.abs() <= radius
    return torch.where(inside, (weights / weights.sum())[apart.clamp(-radius, radius) + radius], 0.0)


def noise(seeds: Tensor, size: int) -> Tensor:
    """Numbers uniform between -1 and 1 for each seed, (B,) int32: (2, B, size, size), of float32.

    The hash is Wellons' `lowbias32` of seed * 0x9E3779B1 + place. Products wrap at 32 bits, on any device. Its upper
    and its lower half are a number each, one of 65,536 that are equally far apart.
    """
    places = torch.arange(size * size, device=seeds.device, dtype=torch.int32)
    bits = seeds[:, None] * _signed(0x9E3779B1) + places
    bits ^= (bits >> 16) & 0xFFFF  # the shift of a signed number copies its sign, which is masked
    bits *= _signed(0x7FEB352D)
    bits ^= (bits >> 15) & 0x1FFFF
    bits *= _signed(0x846CA68B)
    bits ^= (bits >> 16) & 0xFFFF
    halves = torch.stack([bits & 0xFFFF, (bits >> 16) & 0xFFFF]).float()
    return halves.mul_(2**-15).sub_(1 - 2**-16).view(2, -1, size, size)


def displacements(seeds: Tensor, smoothing: Tensor, strength: float) -> Tensor:
    """How far to the right and down each place of each image is moved, in pixels: (B, size, size, 2).

    Args:
        seeds: (B,) whole numbers below 2**24, of any type.
        smoothing: a `gaussian_matrix`, (size, size).
    """
    fields = noise(seeds.to(torch.int32), len(smoothing)).to(smoothing.dtype)
    smooth = (strength * smoothing) @ fields @ smoothing.t()
    return smooth.permute(1, 2, 3, 0)


def _signed(bits: int) -> int:
    """The int32 of these 32 bits."""
    return bits - (1 << 32) if bits >> 31 else bits
