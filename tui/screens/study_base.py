"""The base of the list of sweeps and of one opened sweep: looking again and again, and the actions on a study."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable

from textual import work

from experiments.studies.list import StudyEntry
from experiments.studies.plan import MAX_TRIALS
from experiments.studies.process import stop_study
from tui.live.launch import sweep_detached
from tui.live.messages import ForkRequested, OpenRequested
from tui.live.studies import LOOK, StudyWatch
from tui.live.task import BackgroundTask
from tui.screens.base import WorkScreen
from tui.screens.study_views.race import RaceRounds
from tui.screens.sweep_dialogs import MoreTrials
from tui.text.copying import Copy, copies_of_run
from tui.text.keys import key


class StudyWorkScreen(WorkScreen):
    """A place where one study is current."""

    _begun: StudyEntry | None = None
    """The study last begun from here, as read before that; until it is read again its process can be stopped too."""

    _shown_change = -1
    """The change of the studies that is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._acting = asyncio.Lock()

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(LOOK / 4, self.look)

    def on_screen_resume(self) -> None:
        self.watch_studies.hurry()
        self.repaint()

    @property
    def watch_studies(self) -> StudyWatch:
        return self.lab.studies

    @property
    @abstractmethod
    def entry(self) -> StudyEntry | None:
        """The current study."""

    @abstractmethod
    def repaint(self) -> None:
        """Show the studies as they were read last."""

    @property
    def is_on_top(self) -> bool:
        """False, unlike `is_current`, while it shines through another screen above it, which would be painted too."""
        return self.ready and self.app.screen is self

    def look(self) -> None:
        """Take in what was read, on a thread, since the last look."""
        if self.is_on_top:
            self.watch_studies.look()
            if self._shown_change != self.watch_studies.changes:
                self._shown_change = self.watch_studies.changes
                self.repaint()

    @work(exit_on_error=False)
    async def act(self, failing: str, do: Callable[[], object], done: str) -> None:
        """Do something to a study on a thread, after what was asked for before, and say what came of it."""
        async with self._acting:
            task = BackgroundTask("study", lambda *_: do())
            while not task.done.is_set():
                await asyncio.sleep(0.02)
        if problem := task.problem():
            self._begun = None
            self.refresh_bindings()
            self.notify(problem, title=failing, severity="error", markup=False)
        else:
            self.notify(done, markup=False)
        self.watch_studies.hurry()

    def action_stop(self) -> None:
        if (entry := self.entry) is not None:
            home = self.lab.locations.home
            words = f"{entry.name} was asked to stop; its trials go on from their checkpoints when it is continued"
            self.act("Not stopped", lambda: stop_study(home, entry.name), words)

    async def action_resume(self) -> None:
        """Go on; where all that was asked for is done, with more trials, if there can be more."""
        entry = self.entry
        if entry is None or entry.view is None:
            return
        view = entry.view
        if not view.is_complete:
            self.drive(entry.name)
        elif view.plan.trials < (most := view.combinations or MAX_TRIALS):
            await self.app.push_screen(
                MoreTrials(view, most),
                lambda trials: self.drive(entry.name, "--trials", str(trials)) if trials is not None else None,
            )
        else:
            what = f"the grid's {most:,} combinations are" if view.combinations else f"all {most:,} trials are"
            self.notify(f"{what} done; {key('add')} begins another sweep in Sweeps", title="Complete", markup=False)

    def drive(self, name: str, *options: str) -> None:
        """Let a process that outlives the interface drive a study."""
        locations = self.lab.locations
        words = f"{name} goes on by itself, whether the interface is open or not"
        self._begun = self.watch_studies.entry(name)
        self.refresh_bindings()
        self.act("Not started", lambda: sweep_detached(name, locations, *options), words)

    def copies_of_trial(self, run_id: str | None) -> list[Copy]:
        """What can be copied of a trial; nothing of one that has no run."""
        return copies_of_run(self.lab.store.run(run_id)) if run_id else []

    def action_race(self) -> None:
        if self.entry is not None:
            self.app.push_screen(RaceRounds(self.entry.name))

    def open_run(self, run_id: str | None) -> None:
        if run_id:
            self.post_message(OpenRequested(self.lab.store.run(run_id)))

    def fork_run(self, run_id: str | None) -> None:
        if run_id:
            self.post_message(ForkRequested(self.lab.store.run(run_id)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        entry = self.entry if self.ready else None
        match action:
            case "stop":
                return entry is not None and (entry.is_driven or entry is self._begun)
            case "race":
                return entry is not None and entry.view is not None and entry.view.plan.race > 0
            case "resume":
                return entry is not None and entry.view is not None and not entry.is_driven
            case _:
                return super().check_action(action, parameters)
