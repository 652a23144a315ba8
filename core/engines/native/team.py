"""The threads that the kernels run on: how many there may be, and how many there are now."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from core.device.cores import WINDOW, RunQueue, ThreadCount, waited_for_core
from core.device.threads import most_threads
from core.engines.native.library import load_kernels

SPIN, SHORT_SPIN = 2_000_000, 50_000
"""Nanoseconds that a thread waits for others before it sleeps: more than most steps are without work for it; and where
cores are scarce."""
MOST_HELPERS = 255


class Team:
    """The threads of one engine.

    `threads` is how many take part in what is computed next. `cut` is the number for which an earlier version cut the
    batches of a run that it began (`core.engines.native.chunks`); 0 for any other run.
    """

    def __init__(self) -> None:
        self._libraries: dict[torch.dtype, ctypes.CDLL] = {}
        self.timed = waited_for_core(threading.get_native_id()) is None
        queue = RunQueue(self._helpers)
        self._count = ThreadCount(most_threads, self._measured if self.timed else queue.seconds)
        self.threads = most_threads()
        self.cut = 0
        self._ended = 0.0  # the last step

    @staticmethod
    def most() -> int:
        return most_threads()

    @property
    def spin(self) -> int:
        """Nanoseconds that threads wait for one another before they sleep."""
        return SHORT_SPIN if self.threads < self.most() else SPIN

    def kernels(self, dtype: torch.dtype) -> ctypes.CDLL:
        """The library for tensors of a type.

        Raises:
            NoKernels: when there is none.
        """
        if dtype not in self._libraries:
            self._libraries[dtype] = load_kernels(dtype)
        return self._libraries[dtype]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """For a step: finds out how many threads there should be now, by how the steps before it went."""
        if time.perf_counter() - self._ended > WINDOW:
            self._count.begin_anew()
        self.threads = self._count.now()
        yield
        self._ended = time.perf_counter()

    def _helpers(self) -> Iterator[int]:
        for library in self._libraries.values():
            ids = (ctypes.c_int64 * MOST_HELPERS)()
            yield from ids[: library.helper_ids(ids, MOST_HELPERS)]

    def _measured(self) -> float:
        return float(sum(library.waited_for_cores() for library in self._libraries.values())) / 1e9
