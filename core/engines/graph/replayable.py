"""Lists the operations of a step, to tell whether it can be recorded once and replayed.

A replay repeats the same operations with the same numbers on the same memory. It does what a call would do only if two
calls differ in nothing but the content of tensors, nothing is read back, and nothing comes from the host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.device.torch_private import TorchDispatchMode, tree_flatten

READ_BACK = (
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::item",
    "aten::equal",
    "aten::is_nonzero",
    "aten::_unique",
    "aten::unique",
    "aten::masked_select",
    "aten::repeat_interleave.Tensor",
    "aten::bincount",
)
"""Operations that read a value or a size back from the device."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its name, its arguments without the content of tensors, and the devices that they are on."""

    name: str
    arguments: tuple[object, ...]
    devices: frozenset[str]


class OperationRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lists all operations that reach the dispatcher within its context, those of the backward pass included."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.done: list[Operation] = []

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.namespace == "profiler":
            return result
        given, _ = tree_flatten((args, kwargs or {}))
        returned, _ = tree_flatten(result)
        devices = frozenset(str(value.device) for value in (*given, *returned) if isinstance(value, Tensor))
        self.done.append(Operation(func.name(), tuple(map(_without_content, given)), devices))
        return result


def operations_of(call: Callable[[], None]) -> list[Operation]:
    """The operations of a call."""
    operations = OperationRecorder()
    with operations:
        call()
    return operations.done


def replay_obstacle(first: Sequence[Operation], second: Sequence[Operation]) -> str:
    """The reason why a step cannot be replayed, from the operations of two calls; empty when it can."""
    for operation in first:
        if operation.name.startswith(READ_BACK) or _has_mask_as_index(operation):
            return f"{operation.name} reads a value back from the device"
        if len(operation.devices) > 1:
            return f"{operation.name} works on {' and '.join(sorted(operation.devices))} at once"
    if len(first) != len(second):
        return f"one step takes {len(first)} operations, the next one {len(second)}"
    for before, after in zip(first, second, strict=True):
        if before != after:
            return f"{before.name} gets other numbers in the next step"
    return ""


def _has_mask_as_index(operation: Operation) -> bool:
    """Whether it selects by a mask, so that the size of the result depends on values."""
    tensors = [argument for argument in operation.arguments[1:] if isinstance(argument, tuple)]
    return operation.name.startswith("aten::index") and any(torch.bool in tensor for tensor in tensors)


def _without_content(value: object) -> object:
    if isinstance(value, Tensor):
        return value.dtype, tuple(value.shape), tuple(value.stride())
    plain = value is None or isinstance(value, int | float | str | torch.dtype | torch.device)
    return type(value).__name__, repr(value) if plain else ""
