"""The run's seed, and no other, decides what a user's code draws; and tensors are made on the CPU."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from core.device.torch_private import default_device, makes_tensors

_SEEDS: tuple[tuple[Any, str], ...] = (
    *((torch, name) for name in ("manual_seed", "seed", "set_rng_state")),
    *((torch.random, name) for name in ("manual_seed", "seed", "set_rng_state")),
    *((torch.cuda, name) for name in ("manual_seed", "manual_seed_all", "seed", "seed_all")),
    *((torch.mps, name) for name in ("manual_seed", "seed")),
    *((np.random, name) for name in ("seed", "set_state")),
    *((random, name) for name in ("seed", "setstate")),
)
"""The functions that change the global random numbers of torch, numpy and Python."""

_ONCE: tuple[tuple[Any, str], ...] = (
    *((torch, name) for name in ("set_num_interop_threads", "set_flush_denormal", "set_default_tensor_type")),
    (torch.cuda, "set_device"),
)
"""The functions of torch whose effect cannot be put back, or that need a GPU."""


@contextmanager
def only_our_seeds() -> Iterator[Callable[[int], None]]:
    """Within the block nobody in this thread seeds global random numbers but by the function that it is given, or sets
    what cannot be put back."""
    thread = threading.get_ident()
    originals = [(owner, name, getattr(owner, name)) for owner, name in (*_SEEDS, *_ONCE)]
    active = True

    def quiet(original: Callable[..., Any]) -> Callable[..., Any]:
        def seeds_unless_active(*args: Any, **options: Any) -> Any:
            if not active or threading.get_ident() != thread:
                return original(*args, **options)
            return torch.default_generator if original is torch_seed else None

        return seeds_unless_active

    torch_seed, numpy_seed, python_seed = torch.manual_seed, np.random.seed, random.seed

    def seed_by_ours(seed: int) -> None:
        torch_seed(seed)
        numpy_seed(seed)
        python_seed(seed)

    for owner, name, original in originals:
        setattr(owner, name, quiet(original))
    try:
        yield seed_by_ours
    finally:
        active = False
        for owner, name, original in originals:
            setattr(owner, name, original)


class OnCpu(TorchFunctionMode):
    """Whatever device a user's code asks for, its tensors are made on the CPU; the trainer moves the network."""

    def __torch_function__(
        self, func: Any, types: Sequence[Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = {name: _on_cpu(value) if name == "device" else value for name, value in (kwargs or {}).items()}
        if func in _MOVES:
            return args[0]
        if makes_tensors(func) and options.get("device") is None and (device := default_device()) is not None:
            options["device"] = _on_cpu(device)  # which would be added after this
        if func is torch.Tensor.to and len(args) > 1:
            args = (args[0], *(_on_cpu(value) for value in args[1:]))
        return func(*args, **options)


_MOVES = frozenset({torch.Tensor.cuda, torch.Tensor.xpu})
_ELSEWHERE = ("cuda", "mps", "xpu")


def _on_cpu(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | torch.device):
        return value
    elsewhere = isinstance(value, int) or torch.device(value).type in _ELSEWHERE
    return torch.device("cpu") if elsewhere else value
