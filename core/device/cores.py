"""How many threads to compute on while other programs use cores as well.

A thread that shares its core with another program is often in the middle of something that the others wait for. So it
is better to have a thread less, and to look later whether there is a core for it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

WINDOW = 0.2
"""Seconds over which it is measured how long threads wait for a core."""
LOST = 0.6
"""A thread is given up where all threads together wait for a core longer than this share of what one of them does."""
LEAST_LOST = 0.15
"""Or this share of the time, where that is more: every system has something to do now and then."""
PAUSE, LONGEST_PAUSE = 1.0, 10.0
"""Seconds before a thread that was given up is tried again, and at most, after it was in vain several times."""


class ThreadCount:
    """Watches the threads of a computation, and says how many of them there should be.

    Args:
        most: says how many there may be; it may change.
        waited: seconds that threads have waited for a core so far, all together; they never become fewer.
        clock: seconds since some moment.
    """

    def __init__(
        self, most: Callable[[], int], waited: Callable[[], float], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._most = most
        self._waited = waited
        self._clock = clock
        self._count = most()
        self._pause = PAUSE
        self._try_at = self._begun = clock()
        self._waited_before: float | None = None
        self._tries = 0  # in a row that have succeeded
        self._trying = False

    def now(self) -> int:
        """How many threads to use next; to be asked often."""
        now, most = self._clock(), self._most()
        if self._count > most:
            self._count = most
        if self._waited_before is None or now - self._begun >= WINDOW:
            waited = self._waited()
            if self._waited_before is not None:
                self._decide((waited - self._waited_before) / (now - self._begun), now, most)
            self._waited_before, self._begun = waited, now
        return self._count

    def begin_anew(self) -> None:
        """Leave out what was lost since the last time: the threads did something else."""
        self._waited_before = None

    def _decide(self, lost: float, now: float, most: int) -> None:
        """Take in how many cores' worth of time was lost by waiting."""
        if self._count > 1 and lost > max(LEAST_LOST, LOST / self._count):
            self._count = max(1, self._count - max(1, round(lost)))
            self._pause = min(2 * self._pause, LONGEST_PAUSE) if self._trying else PAUSE
            self._try_at, self._tries, self._trying = now + self._pause, 0, False
            return
        if self._trying:
            self._tries, self._pause, self._trying = self._tries + 1, PAUSE, False
        if self._count < most and now >= self._try_at:
            self._count = min(most, self._count + 2**self._tries)
            self._trying = True


class RunQueue:
    """How long threads of this process have waited for a core, as Linux tells: the one that asks, and others.

    Args:
        others: gives the ids that the system has for the others.
    """

    def __init__(self, others: Callable[[], Iterable[int]]) -> None:
        self._others = others
        self._before: dict[int, float] = {}
        self._total = 0.0

    def seconds(self) -> float:
        """All together so far, from the first time on that each was asked about."""
        for thread in (threading.get_native_id(), *self._others()):
            found = waited_for_core(thread)
            if found is not None:
                self._total += found - self._before.get(thread, found)
                self._before[thread] = found
        return self._total


def waited_for_core(thread: int) -> float | None:
    """Seconds that a thread of this process was ready to run and did not; None where the system does not tell."""
    try:
        _, waited, _ = Path(f"/proc/self/task/{thread}/schedstat").read_text().split()
        return int(waited) / 1e9
    except (OSError, ValueError):
        return None
