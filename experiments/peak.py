"""How much arithmetic a step takes, and how much of it the machine can do in a second."""

from __future__ import annotations

import time

import torch

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
    """The most float32 operations a second that products of square matrices reach here: the median over rounds.

    On CUDA in full precision, without TF32.
    """
    side, products = (8192, 20) if device.type == "cuda" else (1024, 5)
    left, right = torch.randn(side, side, device=device), torch.randn(side, side, device=device)
    out = torch.empty_like(left)
    rates = []
    with float32_products(device):
        for _ in range(ROUNDS):
            wait_for(device)
            start = time.perf_counter()
            for _ in range(products):
                torch.matmul(left, right, out=out)
            wait_for(device)
            rates.append(products * 2 * side**3 / (time.perf_counter() - start))
    return sorted(rates[1:])[len(rates[1:]) // 2]


def wait_for(device: torch.device) -> None:
    """Until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
