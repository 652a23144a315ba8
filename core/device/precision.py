"""What numbers a device computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from core.config import Precision
from core.errors import InvalidValue


def check_precision(precision: Precision, device: torch.device) -> None:
    """Raise `InvalidValue` when a device has no such arithmetic."""
    if precision == "tf32" and device.type != "cuda":
        hint = "use --precision fp32, or --device cuda where there is one"
        raise InvalidValue("precision", precision, f"needs a CUDA device, not {device}", hint=hint)


def mixed(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """For a forward pass: bf16 runs convolutions and matrix products in bfloat16 and the rest in float32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


@contextmanager
def float32_products(device: torch.device, *, tf32: bool = False) -> Iterator[None]:
    """For forward and backward passes: whether products of float32 numbers on CUDA may be TF32's, with 10 bits after
    the point instead of 23. Left to itself torch takes TF32 for convolutions.
    """
    if device.type != "cuda":
        yield
        return
    switches = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "tf32" if tf32 else "ieee"
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value
