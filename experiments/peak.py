"""How much arithmetic a step takes, and how much of it the machine can do in a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F

from core.allocator import keep_freed_memory
from core.precision import float32_products
from core.summary import Summary

ROUNDS = 7


def step_flops(summary: Summary, batch_size: int) -> int:
    """Floating-point operations of the layers' products in one step: forward, and both gradients.

    The first layer needs no gradient of its input. A multiplication and an addition are two operations.
    """
    macs = [row.macs for row in summary.rows if row.macs]
    return 2 * batch_size * (3 * sum(macs) - macs[0]) if macs else 0


def matrix_peak(device: torch.device) -> float:
    """The most float32 operations a second that products of large matrices reach here: the median over rounds.

    The better of two libraries, as a convolution with 1x1 kernels is such a product too: on a CPU torch multiplies with
    MKL, which on AMD's processors uses half of each vector, and convolves with oneDNN, which uses all of it. On CUDA in
    full precision, without TF32.
    """
    keep_freed_memory()
    rows, side, products = (16_384, 8192, 10) if device.type == "cuda" else (16_384, 512, 3)
    left, right = torch.randn(rows, side, device=device), torch.randn(side, side, device=device)
    pixels = left.view(-1, 32, 32, side).permute(0, 3, 1, 2)  # 16 images: of fewer, one thread takes them to MKL
    kernels = right.view(side, side, 1, 1)
    operations = products * 2 * rows * side**2
    with torch.no_grad(), float32_products(device):
        ways = (lambda: torch.matmul(left, right), lambda: F.conv2d(pixels, kernels))
        return max(operations / _seconds(way, products, device) for way in ways)


def _seconds(work: Callable[[], Tensor], times: int, device: torch.device) -> float:
    """How long it takes to do some work so many times, the median over rounds."""
    found = []
    for _ in range(ROUNDS):
        wait_for(device)
        start = time.perf_counter()
        for _ in range(times):
            work()
        wait_for(device)
        found.append(time.perf_counter() - start)
    return median(found[1:])


def wait_for(device: torch.device) -> None:
    """Until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
