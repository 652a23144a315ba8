"""How much arithmetic a step takes, and how much of it the machine can do in a second."""

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
    """Floating-point operations of the layers' products in one step: forward, and both gradients.

    The first layer needs no gradient of its input. A multiplication and an addition are two operations.
    """
    macs = [row.macs for row in summary.rows if row.macs]
    return 2 * batch_size * (3 * sum(macs) - macs[0]) if macs else 0


class MatrixProducts:
    """Products of large float32 matrices, the work at which a machine does the most operations a second.

    The better of two libraries counts, as a convolution with 1x1 kernels is such a product too: on a CPU torch
    multiplies with MKL, which on AMD's processors uses half of each vector, and convolves with oneDNN, which uses all
    of it. On CUDA in full precision, without TF32.
    """

    def __init__(self, device: torch.device) -> None:
        keep_freed_memory()
        self._device = device
        rows, side, self._times = (16_384, 8192, 10) if device.type == "cuda" else (16_384, 512, 3)
        left, right = torch.randn(rows, side, device=device), torch.randn(side, side, device=device)
        pixels = left.view(-1, 32, 32, side).permute(0, 3, 1, 2)  # 16 images: of fewer, one thread takes them to MKL
        kernels = right.view(side, side, 1, 1)
        self._operations = self._times * 2 * rows * side**2
        self._ways: tuple[Callable[[], Tensor], ...] = (
            lambda: torch.matmul(left, right),
            lambda: F.conv2d(pixels, kernels),
        )
        self.rate()  # the first time libraries set themselves up

    def rate(self) -> float:
        """Operations a second, as they are at this moment."""
        with torch.no_grad(), float32_products(self._device):
            return self._operations / min(map(self._seconds, self._ways))

    def _seconds(self, work: Callable[[], Tensor]) -> float:
        wait_for(self._device)
        start = time.perf_counter()
        for _ in range(self._times):
            work()
        wait_for(self._device)
        return time.perf_counter() - start


def wait_for(device: torch.device) -> None:
    """Until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
