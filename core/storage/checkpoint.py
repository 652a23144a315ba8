"""Checkpoints: the state of a run after one of its steps, in a file from which it goes on exactly.

The file is safetensors, tensors and one JSON text, so that loading a file from anywhere cannot run code. A SHA-256 of
both is stored with them. The tensors are named by part (`core.training.record`): `model`, `average` (moving averages),
`best` (weights of the best epoch), `engine` (momentum and totals of the step), `random` (torch's random states) and
`draw` (order and augmentation of the epoch under way).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from core.errors import RunError, one_line
from core.storage.tensors import read_tensors, weights_sha256, write_tensors

VERSION = 1
START_AGAIN = "start a new run with the same config"
_LARGEST = {"epoch": 1e9, "step": 1e9, "threads": 1e6, "seconds": 1e12, "epoch_seconds": 1e12}
"""The numbers of a state, and more than any has."""
MAX_BYTES = 256 << 20
"""Far above any network that fits the budget; a larger file is not read into memory."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`tensors` by name on the CPU, and `state`, everything else, ready for JSON."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under ``prefix.``, without it."""
        start = f"{prefix}."
        return {name.removeprefix(start): tensor for name, tensor in self.tensors.items() if name.startswith(start)}


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; the one at `path` becomes the previous one, and there is a whole one at any moment.

    Raises:
        OSError: when it cannot be written; both files are then as they were.
    """
    state = json.dumps(checkpoint.state, allow_nan=False)
    metadata = {"version": str(VERSION), "state": state, "sha256": _digest(checkpoint.tensors, state)}
    write_tensors(path, checkpoint.tensors, metadata, keep=previous(path))


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, or the previous one where that is damaged; None where there is neither.

    Raises:
        RunError: when there are files but none is whole.
    """
    damage: RunError | None = None
    for candidate in (path, previous(path)):
        try:
            return _load(candidate)
        except FileNotFoundError:
            continue
        except RunError as error:
            damage = damage or error
    if damage is not None:
        raise damage
    return None


def previous(path: Path) -> Path:
    """The path of the checkpoint before the last one."""
    return path.with_stem(f"{path.stem}-previous")


def _load(path: Path) -> Checkpoint:
    tensors, metadata = read_tensors(path, MAX_BYTES, "checkpoint", START_AGAIN)
    if metadata.get("version") != str(VERSION):
        found = metadata.get("version", "none")
        raise RunError(f"{path}: version {found}, not {VERSION}", hint="use the mnist-tui that wrote it")
    text = metadata.get("state", "")
    if metadata.get("sha256") != _digest(tensors, text):
        raise RunError(f"{path}: damaged: its checksum differs", hint=START_AGAIN)
    try:
        return Checkpoint(tensors, _checked_state(json.loads(text)))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: damaged: {one_line(error)}", hint=START_AGAIN) from error


def _checked_state(state: Any) -> dict[str, Any]:
    """The state, if what it has is what a run can have.

    Raises:
        ValueError: when it is not.
    """
    if not isinstance(state, dict):
        raise ValueError("its state is not an object")
    accuracies = state.get("accuracies", [])
    if not isinstance(accuracies, list) or not all(_is_within(value, 1) for value in accuracies):
        raise ValueError("its accuracies are not a list of fractions")
    losses = state.get("losses", [])
    if not isinstance(losses, list) or not all(_is_within(value, sys.float_info.max) for value in losses):
        raise ValueError("its losses are not a list of numbers from 0 on")
    for name, largest in _LARGEST.items():
        if not _is_within(state.get(name, 0), largest):
            raise ValueError(f"{name} is not a number from 0 to {largest:g}")
    for name in ("epoch", "step", "threads"):
        if type(state.get(name, 0)) is not int:
            raise ValueError(f"{name} is not a whole number")
    return state


def _is_within(value: object, largest: float) -> bool:
    """Whether it is a number from 0 to `largest`; NaN is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= largest


def _digest(tensors: Mapping[str, Tensor], state: str) -> str:
    return sha256(f"{weights_sha256(tensors)}\n{state}".encode()).hexdigest()
