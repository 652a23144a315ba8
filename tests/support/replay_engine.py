"""What a CUDA graph does, on the CPU: a step's operations are recorded once and from then on repeated."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from core.engines.engine import DeviceStep, EagerEngine, Unchanged


class Recording(TorchDispatchMode):
    """Operations with their numbers, on fixed places in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, before in self.calls:
            result = func(*args, **kwargs)
            returned = result if isinstance(result, list | tuple) else [result]
            places = before if isinstance(before, list | tuple) else [before]
            kinds = func._schema.returns * (len(returned) if isinstance(result, list) else 1)  # a list is one result
            for place, value, kind in zip(places, returned, kinds, strict=False):
                if isinstance(value, Tensor) and kind.alias_info is None:
                    place.copy_(value)


class ReplayEngine(EagerEngine):
    """Calls a step once for each size of batch and from then on only repeats the operations that it consisted of; a
    step that it was not prepared for it calls."""

    name = "replay"

    def __init__(self) -> None:
        super().__init__()
        self.recordings: dict[tuple[DeviceStep, int], Recording] = {}

    def prepare(self, step: DeviceStep) -> None:
        for size in step.sizes():
            with Unchanged(step), Recording() as recording:
                step(size)
            self.recordings[step, size] = recording

    def run(self, step: DeviceStep, size: int) -> None:
        if (recording := self.recordings.get((step, size))) is None:
            step(size)
        else:
            recording.replay()
