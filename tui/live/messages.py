"""What screens ask of the app."""

from __future__ import annotations

from collections.abc import Sequence

from textual.message import Message

from experiments.runs.folder import Run
from tui.live.session import Plan


class StartRequested(Message):
    """Train these, one after the other."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        super().__init__()
        self.plans = tuple(plans)


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
    """Stop the run after a checkpoint, wherever it is trained."""


class ResumeRequested(RunRequest):
    """Go on with the run here."""
