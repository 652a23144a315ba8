"""The thread that trains the interface's own runs, in the same ways as the command line.

It tells the interface nothing but where it stands: what happens in a run is in the run's event log. At exit it is
waited for with a deadline.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from core.events import EndEvent, RunFailed
from experiments.export.notifications import Announcer
from experiments.locations import Locations
from experiments.runs.eventlog import Entry
from experiments.runs.folder import Run, RunSpec
from tui.live.task import Background

if TYPE_CHECKING:
    from experiments.execution.replicate import TrainingPlan
    from experiments.execution.runner import Runner
    from experiments.execution.together.recorded import Task


class Job(Background):
    """Runs that were started with one key: a new one, the seeds of a new group, or runs to go on with.

    Its thread alone writes the attributes, all but the reason to stop; any thread may read them.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.address = ""
        """Where the end of its runs is told."""
        self.new = [task for task in tasks if isinstance(task, RunSpec)]
        self.resumed = [task.run for task in tasks if not isinstance(task, RunSpec)]
        self.run_ids: list[str] = []
        """The runs that have begun, in the order in which they did."""
        self.ends: dict[str, EndEvent] = {}
        """The last event of runs that have ended; it is here even when the disk was too full for it."""
        self._seeds: dict[str, int] = {}
        self._recorded: list[Run] = []
        self.warnings: deque[str] = deque()
        """What failed beside training, for people to read; whoever shows it takes it away."""
        self._reason = ""
        asked_for = [run.id for run in self.resumed] + [spec.config.seed for spec in self.new]
        self._places: dict[object, int] = {run: place for place, run in enumerate(asked_for, start=1)}

    @property
    def size(self) -> int:
        """Number of its runs."""
        return len(self.tasks)

    @property
    def live_ids(self) -> list[str]:
        """The runs that have begun and not ended, in the order of `place_of`."""
        return sorted((run_id for run_id in self.run_ids if run_id not in self.ends), key=self._place)

    @property
    def is_over(self) -> bool:
        """Whether all of its runs have ended; its thread may have things to put away yet."""
        return bool(self.ends) and not self.live_ids and (bool(self._reason) or len(self.run_ids) == self.size)

    @property
    def group_id(self) -> str:
        """The group that new runs are made for; empty for a run alone."""
        return (self.new[0].meta.group_id or "") if self.new else ""

    @property
    def waiting(self) -> list[RunSpec]:
        """The new runs that have not begun, the one that is being prepared among them."""
        begun = set(self._seeds.values())
        return [spec for spec in self.new if spec.config.seed not in begun]

    @property
    def left_ids(self) -> list[str]:
        """The new runs that have folders and have not begun, as a group's have from its start."""
        return [run.id for run in self._recorded if run.id not in self.run_ids and run.folder.is_dir()]

    @property
    def waiting_resumed(self) -> list[Run]:
        """The runs to go on with that have not gone on."""
        begun = set(self.run_ids)
        return [run for run in self.resumed if run.id not in begun]

    def failed(self, run_id: str) -> RunFailed | None:
        end = self.ends.get(run_id)
        return end if isinstance(end, RunFailed) else None

    def place_of(self, run_id: str) -> str:
        """``2 of 3`` for a run of several; empty for one alone, and for one that is not of this job."""
        return f"{self._place(run_id)} of {self.size}" if run_id in self.run_ids and self.size > 1 else ""

    def _place(self, run_id: str) -> int:
        """The place of a run, from 1, in the order in which the runs were asked for; 0 for one of another job."""
        return self._places.get(self._seeds.get(run_id, run_id), 0)

    def stop(self, reason: str) -> None:
        """Ask for every run to be stopped with a checkpoint; the first reason stands."""
        self._reason = self._reason or reason

    @property
    def stopping(self) -> str:
        return self._reason

    def should_stop(self) -> str:
        return self._reason

    def note_download(self, name: str, done: int, total: int | None) -> None:
        of_all = f" of {total / 1e6:.1f}" if total else ""
        self.stage = f"downloading {name}: {done / 1e6:.1f}{of_all} MB"

    def note_begun(self, run: Run) -> None:
        if run.id not in self._places:
            self._seeds[run.id] = int(run.config()["seed"])
        self.run_ids.append(run.id)

    def train(self, locations: Locations) -> None:
        """Train every run. To be called on a thread of its own."""
        from experiments.execution.runner import Runner

        runner = Runner(locations, self.should_stop, self.note_download)
        entries = self._alone(runner, self.tasks[0]) if self.size == 1 else self._together(runner)
        announcer = Announcer(runner.store, self.address, self.warnings.append, self.size)
        if self._is_tracked:
            from experiments.export.tracking import Tracking

            entries = Tracking(runner.store, self.warnings.append).follow(entries)
        self._take_in(runner, announcer.follow(entries))
        announcer.close(waiting=False)  # which would keep the job live; the end of the process waits

    @property
    def _is_tracked(self) -> bool:
        """Whether a run is shown in trackers as it goes, which take one run at a time."""
        return any(run.meta().trackers for run in self.resumed) or any(spec.meta.trackers for spec in self.new)

    def _alone(self, runner: Runner, task: Task) -> Iterator[Entry]:
        self.stage = "preparing data and network"
        from experiments.execution.apart import train_new, train_on
        from experiments.execution.together.recorded import ResumedRun

        if isinstance(task, RunSpec):
            return train_new(runner, task)
        assert isinstance(task, ResumedRun), "a run alone is recorded when it begins"
        return train_on(runner, task.run, **task.how)

    def _together(self, runner: Runner) -> Iterator[Entry]:
        """Train as `mnist-tui run --seeds` does: as one network on a GPU, in a process a core, or in turn."""
        from experiments.execution.replicate import plan_runs, replicate
        from experiments.execution.together.recorded import Recorded

        jobs = 1 if self._is_tracked else None
        if not self.new:
            plan = self._say(plan_runs(runner, self.tasks, jobs))
            yield from replicate(runner, self.tasks, plan)
            return
        recorded = Recorded(runner, self.tasks)
        self._recorded = recorded.made  # which are there before it is known whether they can begin
        with recorded:
            plan = self._say(plan_runs(recorded.runner, recorded.tasks, jobs))
            yield from replicate(recorded.runner, recorded, plan)

    def _say(self, plan: TrainingPlan) -> TrainingPlan:
        self.stage = f"preparing {plan.words or 'data and network'}"
        return plan

    def _take_in(self, runner: Runner, entries: Iterator[Entry]) -> None:
        begun = set[str]()
        for entry in entries:
            if entry.run_id not in begun:
                begun.add(entry.run_id)
                self.note_begun(runner.store.run(entry.run_id))
            self.stage = ""
            if isinstance(entry.event, EndEvent):
                self.ends[entry.run_id] = entry.event


class Session:
    """The one job that this process may have at a time."""

    def __init__(self, locations: Locations) -> None:
        self.locations = locations
        self.address = ""
        """Where the end of runs is told, as `notify_url` says."""
        self.job: Job | None = None

    @property
    def live(self) -> bool:
        return self.job is not None and not self.job.done.is_set()

    @property
    def turns(self) -> tuple[int, int, bool]:
        """What changes when a run has begun or ended, or all of them have."""
        return (len(self.job.run_ids), len(self.job.ends), self.live) if self.job is not None else (0, 0, False)

    @property
    def stage(self) -> str:
        """The work before a run has a log; empty otherwise."""
        return self.job.stage if self.job is not None and self.live else ""

    def works_on(self, run_id: str) -> bool:
        """Whether it trains this run now; one to go on with counts before it has gone on."""
        if self.job is None or not self.live:
            return False
        is_waiting = any(run.id == run_id for run in self.job.waiting_resumed)
        return is_waiting or (run_id in self.job.run_ids and run_id not in self.job.ends)

    def start(self, job: Job) -> None:
        assert not self.live, "one job at a time"
        self.job = job
        job.address = self.address
        job.begin("training", lambda: job.train(self.locations))

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
