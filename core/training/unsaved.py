"""What a module keeps from one forward pass to the next, and no checkpoint does."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping

from torch import Tensor, nn

_OF_EVERY_MODULE = frozenset(vars(nn.Module()))

UnsavedState = Mapping[str, object]
"""By name what is outside of a module's state dict, in a form that can be compared."""


def unsaved_state(module: nn.Module) -> UnsavedState:
    """The plain attributes, and the buffers that are not persistent, of a module and those in it, as they are now."""
    found = {}
    for prefix, part in module.named_modules():
        for name, value in _unsaved(part):
            if not _is_computed(value):
                found[f"{prefix}.{name}" if prefix else name] = _comparable(value)
    return found


def unsaved_note(before: UnsavedState, after: UnsavedState) -> str:
    """A sentence on what has changed between two states; empty where nothing has."""
    changed = sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
    if not changed:
        return ""
    return (
        f"forward changes {', '.join(changed)}, which no checkpoint keeps: a run that is resumed has it as at the start"
    )


def _unsaved(part: nn.Module) -> Iterator[tuple[str, object]]:
    for name, value in vars(part).items():
        if name not in _OF_EVERY_MODULE:
            yield name, value
    for name in part._non_persistent_buffers_set:
        yield name, part._buffers.get(name)


def _is_computed(value: object) -> bool:
    """Whether it has a tensor that forward has made, with its gradient: the next pass can only put another there."""
    match value:
        case Tensor():
            return value.grad_fn is not None
        case list() | tuple():
            return any(map(_is_computed, value))
        case dict():
            return any(map(_is_computed, value.values()))
        case _:
            return False


def _comparable(value: object) -> object:
    try:
        return pickle.dumps(value)
    except Exception:  # noqa: BLE001  # whatever the classes of its author raise
        return id(value)
