"""The thread that trains the interface's own runs, through the same runner as the command line.

It tells the interface nothing but where it stands: what happens in a run is in the run's event log. At exit it is
waited for with a deadline.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from core.config import TrainConfig
from core.events import RunFailed, RunStopped, StepProgress, TrainEvent
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.eventlog import Entry
from experiments.runs.folder import Meta, Run
from tui.live.task import Background


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be made."""

    config: TrainConfig
    meta: Meta = field(default_factory=Meta)

    def entries(self, runner: Runner) -> Iterator[Entry]:
        return runner.run(self.config, self.meta)


@dataclass(frozen=True, slots=True)
class ResumedRun:
    """A run to go on with. `arch` names a user's own module once more, as a consent to run its code."""

    run: Run
    arch: str | None = None

    def entries(self, runner: Runner) -> Iterator[Entry]:
        return runner.resume(self.run, arch=self.arch)


Plan = NewRun | ResumedRun


class Job(Background):
    """Runs that are made one after the other. Only `stop` is not the thread's own to write."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        super().__init__()
        self.plans = tuple(plans)
        self.run_ids: list[str] = []
        self.last: TrainEvent | None = None
        self._reason = ""

    @property
    def run_id(self) -> str:
        """The run under way, or the last one; empty while the first is being prepared."""
        return self.run_ids[-1] if self.run_ids else ""

    @property
    def failed(self) -> RunFailed | None:
        """How its last run failed; known here even when the disk was too full to write it down."""
        return self.last if isinstance(self.last, RunFailed) else None

    @property
    def group_id(self) -> str:
        """The group that its runs are made for; empty for a run alone."""
        first = self.plans[0] if self.plans else None
        return (first.meta.group_id or "") if isinstance(first, NewRun) else ""

    @property
    def waiting_seeds(self) -> list[int]:
        """The seeds of the runs that have not begun, the one that is being prepared among them."""
        return [plan.config.seed for plan in self.plans[len(self.run_ids) :] if isinstance(plan, NewRun)]

    def place_of(self, run_id: str) -> str:
        """``2 of 3`` for a run of several; empty for one alone, and for one that is not of this job."""
        if run_id not in self.run_ids or len(self.plans) == 1:
            return ""
        return f"{self.run_ids.index(run_id) + 1} of {len(self.plans)}"

    def stop(self, reason: str) -> None:
        """Ask the worker to stop; the first reason stands."""
        self._reason = self._reason or reason

    @property
    def stopping(self) -> str:
        return self._reason

    def should_stop(self) -> str:
        return self._reason

    def note_download(self, name: str, done: int, total: int | None) -> None:
        of_all = f" of {total / 1e6:.1f}" if total else ""
        self.stage = f"downloading {name}: {done / 1e6:.1f}{of_all} MB"

    def train(self, locations: Locations) -> None:
        """Make every run. To be called on a thread of its own."""
        runner = Runner(locations, self.should_stop, self.note_download)
        for plan in self.plans:
            self._make(runner, plan)
            if self._reason or isinstance(self.last, RunStopped | RunFailed):
                break

    def _make(self, runner: Runner, plan: Plan) -> None:
        self.stage = "preparing data and network"
        began = False
        for entry in plan.entries(runner):
            if isinstance(entry.event, StepProgress) and not began:
                began = True
                spare_the_collector()  # the first step imports the rest of torch
            if not self.run_ids or self.run_ids[-1] != entry.run_id:
                self.run_ids.append(entry.run_id)
            self.stage = ""
            self.last = entry.event


class Session:
    """The one job that this process may have at a time."""

    def __init__(self, locations: Locations) -> None:
        self.locations = locations
        self.job: Job | None = None

    @property
    def live(self) -> bool:
        return self.job is not None and not self.job.done.is_set()

    def works_on(self, run_id: str) -> bool:
        """Whether this is the run of the moment; one to go on with is, before it has begun."""
        if self.job is None or not self.live:
            return False
        first = self.job.plans[0] if self.job.plans else None
        resumed = first.run.id if isinstance(first, ResumedRun) else ""
        return run_id == (self.job.run_id or resumed)

    def start(self, plans: Sequence[Plan]) -> Job:
        assert not self.live, "one job at a time"
        job = self.job = Job(plans)
        job.begin("training", lambda: job.train(self.locations))
        return job

    def stop(self, reason: str) -> None:
        if self.job is not None:
            self.job.stop(reason)

    def wait(self, seconds: float) -> bool:
        """Wait for the job's end; whether it has ended. In small steps, so that signals are heard."""
        deadline = time.monotonic() + seconds
        while self.live and time.monotonic() < deadline:
            assert self.job is not None
            self.job.done.wait(0.05)
        return not self.live


def spare_the_collector() -> None:
    """Take all that there is now out of what Python's garbage collector goes through again and again.

    With torch imported that is a quarter of a million objects and a tenth of a second in which no key is heard.
    """
    gc.collect()
    gc.freeze()


def import_torch() -> None:
    """Import what training needs, ahead of the first run. Called on a thread once the interface is on the screen."""

    def load() -> None:
        import core.data.loader
        import core.device.device
        import core.training.trainer  # noqa: F401

        spare_the_collector()

    threading.Thread(target=load, name="import torch", daemon=True).start()
