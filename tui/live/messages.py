"""Messages by which screens ask something of the app."""

from __future__ import annotations

from collections.abc import Sequence

from textual.message import Message

from experiments.runs.folder import Run, RunSpec


class StartRequested(Message):
    """Train these: one run, or the seeds of a new group. `detached`: in a process of its own, whatever else is live."""

    def __init__(self, specs: Sequence[RunSpec], *, detached: bool = False) -> None:
        super().__init__()
        self.specs = tuple(specs)
        self.detached = detached


class TurnRequested(Message):
    """Show another one of the runs that are trained here, so many places on."""

    def __init__(self, by: int) -> None:
        super().__init__()
        self.by = by


class RunRequest(Message):
    """Something is to be done with a run."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


class OpenRequested(RunRequest):
    """Show the run in the Training screen."""


class ForkRequested(RunRequest):
    """Bring the run's config into the Lab."""


class StopRequested(RunRequest):
    """Stop the run after a checkpoint, wherever it is trained; of several that are trained here perhaps all."""


class StopAllRequested(Message):
    """Stop these runs after a checkpoint, wherever each is trained; the question has been asked."""

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__()
        self.runs = tuple(runs)


class ResumeRequested(RunRequest):
    """Go on with the run here, perhaps with others of its group."""
