"""How many threads of a CPU this process computes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_outside: list[int] = []
"""torch's threads before each of the `one_torch_thread` that are entered."""
_allowed = 0
"""What `allow_threads` has set."""


def torch_threads() -> int:
    """The threads of torch's own operations, outside of any `one_torch_thread`."""
    return _outside[0] if _outside else torch.get_num_threads()


def most_threads() -> int:
    """The most threads that something may compute on whose results do not depend on their number."""
    return _allowed or torch_threads()


def allow_threads(count: int) -> None:
    """Set `most_threads`, which is otherwise the number of torch's own; 0 for that again."""
    global _allowed  # of the process, as torch's own number is
    _allowed = count


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Within the block torch's own operations run in the thread that calls them.

    So their sums are added up in one order, and torch's other threads do not take cores while they wait for work.
    """
    count = torch_threads()  # also where another Python thread is within such a block
    _outside.append(count)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        _outside.pop()
        torch.set_num_threads(count)


def threads_of(device: torch.device) -> int:
    """The threads that torch computes on for a device; 0 where they do not matter."""
    return torch_threads() if device.type == "cpu" else 0


def use_threads(count: int, device: torch.device) -> None:
    """Let torch compute on so many threads, where there are as many processors; 0, or another device than the CPU,
    changes nothing.

    With another number of threads torch adds sums up in another order, which changes the last bits of a run.
    """
    if device.type == "cpu" and 0 < count <= (os.cpu_count() or 1):
        torch.set_num_threads(count)


@contextmanager
def kept_threads() -> Iterator[None]:
    """After the block torch computes on as many threads as before it."""
    count = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(count)
