"""The loop that trains runs through an executor, shared by a sweep, the seeds of a group and a list of runs.

A `Fleet` gives the executor as many runs as it has room for, waits for them to end, asks them to stop when there is a
reason to, and lets a run whose worker died go on in another one. A subclass says which runs these are, and what is
told of them.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from core.errors import LabError, ShouldStop
from experiments.execution.executor import STOP_PATIENCE, Ended, Executor
from experiments.runs.folder import Run

T = TypeVar("T")

POLL = 0.1
"""Seconds to wait for runs to end before something else is looked after."""
MAX_DEATHS = 3
"""Workers that a run may lose before it is given up."""


class Fleet(ABC, Generic[T]):
    """Runs under way on an executor. `drive` yields whatever the other methods return, in the order of their calls.

    `stopping` is the reason why all runs were asked to stop; empty while there is none.
    """

    def __init__(self, executor: Executor) -> None:
        self.stopping = ""
        self._executor = executor
        self._runs: dict[str, Run] = {}
        self._deaths: Counter[str] = Counter()

    def prepare(self) -> None:
        """Find out what there is to do. The executor is closed where that fails, too."""

    @abstractmethod
    def begin(self) -> Iterable[T] | None:
        """Begin one more run, with `train`; None when there is none to begin at the moment."""

    @abstractmethod
    def has_more(self) -> bool:
        """Whether there are runs to begin, now or later. Asked while none is under way."""

    def follow(self, run: Run) -> Iterable[T]:  # noqa: ARG002
        """Look at what a run has done; called again and again, and at last when its worker is done with it."""
        return ()

    @abstractmethod
    def retry_reason(self, run: Run, ended: Ended) -> str:
        """The reason why a run needs another worker; empty when it has come to its end."""

    @abstractmethod
    def end(self, run: Run, ended: Ended) -> Iterable[T]:
        """Take the result of a run that has come to its end."""

    @abstractmethod
    def lose(self, run: Run, reason: str, *, is_retried: bool) -> Iterable[T]:
        """Hear that a run's worker died. One that `is_retried` has to be given to `train` once more."""

    def train(self, run: Run) -> None:
        """Give the executor, which has room, a run that nobody trains."""
        self._executor.start(run)
        self._runs[run.id] = run

    def drive(self, should_stop: ShouldStop) -> Iterator[T]:
        """Train until there are no more runs, or until there is a reason to stop. The executor is closed then.

        After a reason to stop no run is begun, and those under way have `STOP_PATIENCE` seconds to save a checkpoint.
        An error of `prepare` or another method stops them in the same way before it is raised.
        """
        deadline = math.inf
        try:
            self.prepare()
            while True:
                if not self.stopping and (reason := should_stop()):
                    self.stopping, deadline = reason, time.monotonic() + STOP_PATIENCE
                    self._executor.stop(reason)
                yield from self._fill(should_stop)
                if not self._runs and (self.stopping or not self.has_more()):
                    return
                if time.monotonic() > deadline:  # a worker that hears nothing is ended without a checkpoint
                    return
                yield from self._look_after(self._executor.wait(POLL))
        except LabError as error:
            self._stop_all(error.message)
            with suppress(LabError):  # where that is what went wrong
                yield from self._look_after(())
            raise
        finally:
            self._executor.close()

    def _fill(self, should_stop: ShouldStop) -> Iterator[T]:
        while not self.stopping and self._executor.has_room() and not should_stop():
            if (told := self.begin()) is None:
                return
            yield from told

    def _look_after(self, ended: Iterable[Ended]) -> Iterator[T]:
        for run in list(self._runs.values()):
            yield from self.follow(run)
        for end in ended:
            yield from self._settle(self._runs.pop(end.run_id), end)

    def _settle(self, run: Run, ended: Ended) -> Iterator[T]:
        reason = self.retry_reason(run, ended)
        if not reason:
            yield from self.end(run, ended)
            return
        self._deaths[run.id] += 1
        is_retried = not self.stopping and self._deaths[run.id] < MAX_DEATHS
        yield from self.lose(run, reason, is_retried=is_retried)

    def _stop_all(self, reason: str) -> None:
        """Have the runs stop with a checkpoint where nothing more can be made of them."""
        self._executor.stop(reason)
        deadline = time.monotonic() + STOP_PATIENCE
        while any(run.is_alive() for run in self._runs.values()) and time.monotonic() < deadline:
            self._executor.wait(POLL)
