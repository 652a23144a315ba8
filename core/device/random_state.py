"""Global random states, on which dropout and a user's own module depend: taken for a checkpoint and put back."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


def random_state(device: torch.device) -> dict[str, Tensor]:
    """torch's global random states, on which dropout depends, for a checkpoint."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_state(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Set torch's global random states to those of a checkpoint."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


class ScriptNumbers:
    """The random numbers of Python's `random` and of `numpy.random` that belong to one run.

    Both are global. Within the context they are the run's; outside of it they are everybody else's, and neither
    notices the other.
    """

    def __init__(self) -> None:
        self._outside: tuple[Any, Any] | None = None
        self._inside = _seeded(0)

    def seed(self, seed: int) -> None:
        """Begin a new sequence, within the context or outside of it."""
        self._inside = _seeded(seed)
        if self._outside is not None:
            _set(self._inside)

    def __enter__(self) -> ScriptNumbers:
        self._outside = random.getstate(), np.random.get_state()
        _set(self._inside)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._outside is not None, "entered before"
        self._inside = random.getstate(), np.random.get_state()
        _set(self._outside)
        self._outside = None

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """What is drawn within the block, which is to be within the context, does not count."""
        before = random.getstate(), np.random.get_state()
        try:
            yield
        finally:
            _set(before)

    def state(self) -> dict[str, Tensor]:
        """Where the sequences have come to, for a checkpoint. Outside of the context."""
        (version, words, gauss), (_, key, position, has_gauss, cached) = self._inside
        return {
            "python": torch.tensor([version, *words], dtype=torch.int64),
            "python_gauss": torch.tensor([] if gauss is None else [gauss], dtype=torch.float64),
            "numpy": torch.tensor([*key.tolist(), position], dtype=torch.int64),
            "numpy_gauss": torch.tensor([cached] if has_gauss else [], dtype=torch.float64),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`. Outside of the context.

        Raises:
            KeyError, ValueError, TypeError: when it is none.
        """
        version, *words = state["python"].tolist()
        gauss = state["python_gauss"].tolist()
        python = (version, tuple(words), gauss[0] if gauss else None)
        random.Random().setstate(python)  # raises when it is none
        *key, position = state["numpy"].tolist()
        cached = state["numpy_gauss"].tolist()
        numpy = ("MT19937", np.array(key, dtype=np.uint32), position, int(bool(cached)), cached[0] if cached else 0.0)
        np.random.RandomState().set_state(numpy)
        self._inside = python, numpy


def _seeded(seed: int) -> tuple[Any, Any]:
    return random.Random(seed).getstate(), np.random.RandomState(seed % (1 << 32)).get_state()


def _set(states: tuple[Any, Any]) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])
