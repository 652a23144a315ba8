"""Floating-point operations of a training step, and the rate at which this machine can do them."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from core.device.allocator import keep_freed_memory
from core.device.device import float32_products
from core.models.summary import Summary


def step_flops(summary: Summary, batch_size: int) -> int:
    """Floating-point operations of convolutions and linear layers in one step.

    The forward pass, the gradient of the weights and the gradient of the input take equally many; the first layer
    needs no gradient of its input. A multiply-accumulate counts as two operations.
    """
    macs = [row.macs for row in summary.rows if row.macs]
    return 2 * batch_size * (3 * sum(macs) - macs[0]) if macs else 0


class MatrixProducts:
    """Products of large float32 matrices, at which a machine reaches its highest rate of operations.

    Two implementations are timed and the faster one counts: `torch.matmul`, and a convolution with 1x1 kernels, which
    is the same product. On a CPU the first uses MKL, which takes only half of each vector register on AMD's processors,
    and the second oneDNN, which takes all of it. On CUDA both are in full precision, without TF32.
    """

    def __init__(self, device: torch.device) -> None:
        keep_freed_memory()
        self._device = device
        rows, side, self._repeats = (16_384, 8192, 10) if device.type == "cuda" else (16_384, 512, 3)
        left, right = torch.randn(rows, side, device=device), torch.randn(side, side, device=device)
        pixels = left.view(-1, 32, 32, side).permute(0, 3, 1, 2)  # 16 images: of fewer, one thread takes them to MKL
        kernels = right.view(side, side, 1, 1)
        self._operations = self._repeats * 2 * rows * side**2
        self._methods: tuple[Callable[[], Tensor], ...] = (
            lambda: torch.matmul(left, right),
            lambda: F.conv2d(pixels, kernels),
        )
        self.rate()  # the first call also initialises the libraries

    def rate(self) -> float:
        """Measure the rate now, in operations a second."""
        with torch.no_grad(), float32_products(self._device):
            return self._operations / min(map(self._seconds, self._methods))

    def _seconds(self, work: Callable[[], Tensor]) -> float:
        wait_for(self._device)
        start = time.perf_counter()
        for _ in range(self._repeats):
            work()
        wait_for(self._device)
        return time.perf_counter() - start


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
