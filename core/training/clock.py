"""The time that a run takes, over all its sittings."""

from __future__ import annotations

import time


class Clock:
    """Counts seconds from `start` on, in addition to those of earlier sittings of the run."""

    def __init__(self, before: float = 0.0) -> None:
        self._before = before
        self._started: float | None = None

    def start(self) -> None:
        """Start counting; a clock that runs just goes on."""
        if self._started is None:
            self._started = time.perf_counter()

    def seconds(self) -> float:
        return self._before + (0.0 if self._started is None else time.perf_counter() - self._started)
