"""The protocol of executors, which train runs wherever they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from experiments.runs.folder import Run

STOP_PATIENCE = 30.0
"""Seconds that a worker has to save a checkpoint and end."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Room for one worker, and the GPU that it sees, as CUDA_VISIBLE_DEVICES names it; empty for all there are."""

    number: int
    gpu: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker is done with a run, whose log says how it went.

    `error` is why the run could not even start, where its log says nothing; `worker_died` why it has no end.
    """

    run_id: str
    error: str = ""
    worker_died: str = ""


class Executor(Protocol):
    """Trains runs of one home, each from its last checkpoint, and keeps their logs and files there up to date.

    A single run is asked to stop with `Run.ask_to_stop`, as any other.
    """

    def has_room(self) -> bool:
        """Whether `start` would train at once."""

    def start(self, run: Run) -> None:
        """Train a run that nobody trains."""

    def wait(self, seconds: float) -> list[Ended]:
        """The runs that have come to an end; returns early when there is one."""

    def stop(self, reason: str) -> None:
        """Ask every run to stop with a checkpoint, for this reason; `wait` tells when they have."""

    def close(self) -> None:
        """End the workers, whatever they do."""
