"""Devices and the precision of arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from core.advice import Action, Advice, Tip
from core.config import Precision
from core.device.threads import torch_threads
from core.errors import InvalidValue


def pick_device(name: str) -> torch.device:
    """The device that a config names; ``auto`` is the first GPU, then Apple's, then the CPU.

    Raises:
        InvalidValue: when this machine has no such device.
    """
    available = available_devices()
    if name == "auto":
        return torch.device(available[-1].split(":")[0] if len(available) > 1 else "cpu")
    if name not in available and f"{name}:0" not in available:
        allowed = f"not on this machine, which has {', '.join(available)}"
        raise InvalidValue("device", name, allowed, hint=Tip(Action.SET, "device", "auto"))
    return torch.device(name)


def available_devices() -> list[str]:
    """The names that `pick_device` accepts here: ``cpu`` first."""
    names = ["cpu"]
    if torch.backends.mps.is_available():
        names.append("mps")
    if torch.cuda.is_available():
        names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return names


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Within the block denormal numbers count as 0, in this thread and in those that its tensor operations start.

    They cost a CPU a hundred times what others do. Enter it before the first operation: threads that are already there
    keep their setting.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def describe_device(device: torch.device, threads: int = 0) -> str:
    """A device with its name or threads, by default torch's: ``cpu (2 threads)``, ``cuda:0 (NVIDIA H200)``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        threads = threads or torch_threads()
        return f"cpu ({threads} thread{'s' * (threads != 1)})"
    return str(device)


def check_precision(precision: Precision, device: torch.device) -> None:
    """Raise `InvalidValue` when a device has no such arithmetic."""
    if precision == "tf32" and device.type != "cuda":
        cuda = Tip(Action.OPTION, "device", "cuda")
        hint = Advice(Tip(Action.SET, "precision", "fp32"), ", or ", cuda, " where there is one")
        raise InvalidValue("precision", precision, f"needs a CUDA device, not {device}", hint=hint)


def mixed(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context for forward passes: with bf16 convolutions and matrix products run in bfloat16, the rest in float32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


@contextmanager
def float32_products(device: torch.device, *, tf32: bool = False) -> Iterator[None]:
    """A context for forward and backward passes: whether CUDA may multiply float32 numbers as TF32, whose fractions
    have 10 bits instead of 23. By default torch does so in convolutions.
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
