"""A small app around one screen or dialog, for tests that need no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from app_pilot import WIDE
from textual import on
from textual.pilot import Pilot
from textual.screen import Screen

from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.store import Store
from experiments.settings import DEFAULTS
from tui.app.app import LabApp
from tui.app.ordered_keys import OrderedKeysApp
from tui.live.catalog import Catalog
from tui.live.jobs.watch import LineWatch
from tui.live.messages import (
    ForkRequested,
    OpenRequested,
    ResumeRequested,
    StartRequested,
    StopAllRequested,
    StopRequested,
    TurnRequested,
)
from tui.live.session import Session
from tui.live.state import State
from tui.live.studies import StudyWatch
from tui.live.watch import RunWatch
from tui.screens.runs.screen import RunsScreen
from tui.screens.training import TrainingScreen

Request = (
    ForkRequested | OpenRequested | ResumeRequested | StartRequested | StopAllRequested | StopRequested | TurnRequested
)


class Stage(OrderedKeysApp[None]):
    """A `Lab` with all that screens see of it. What they ask for is kept in `requests`, and is not done."""

    CSS_PATH = Path(__file__).parents[2] / "tui" / "app" / "styles.tcss"
    HORIZONTAL_BREAKPOINTS = LabApp.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = LabApp.VERTICAL_BREAKPOINTS
    ENABLE_COMMAND_PALETTE = False

    settings = DEFAULTS
    ascii_only = False
    stage = ""

    def __init__(self, screen: Screen[Any], home: Path, watched: Run | None = None) -> None:
        super().__init__()
        self.locations = Locations.resolve(home, home / "data")
        self.store = Store(home)
        self.catalog = Catalog(self.store)
        self.studies = StudyWatch(home)
        self.session = Session(self.locations)
        self.state = State.load(home / "state.json")
        self.run_watch = RunWatch(self.session, self.store)
        self.line = LineWatch(self.locations, self.session)
        if watched is not None:
            self.run_watch.show(watched)
        self.log_path = str(home / "interface.log")
        self.requests: list[Request] = []
        self._first = screen

    def on_mount(self) -> None:
        self.push_screen(self._first)
        self.set_interval(0.1, self._look)

    def _look(self) -> None:
        """Read what has been written since, and show it."""
        screen = self.screen
        if isinstance(screen, RunsScreen) and self.catalog.refresh():
            screen.rearrange()
        if isinstance(screen, TrainingScreen) and self.run_watch.shown is not None:
            self.run_watch.poll()
            screen.repaint()

    def device_use(self, device: str) -> str:
        return "CPU 50%"

    def device_loads(self) -> tuple[float, ...]:
        return (40.0, 50.0)

    def remember(self, **values: object) -> None:
        self.state = replace(self.state, **values)

    def load_catalog(self) -> None:
        self.catalog.load()
        if isinstance(self.screen, RunsScreen):
            self.screen.rearrange()

    @on(ForkRequested)
    @on(OpenRequested)
    @on(ResumeRequested)
    @on(StartRequested)
    @on(StopAllRequested)
    @on(StopRequested)
    @on(TurnRequested)
    def _keep(self, request: Request) -> None:
        self.requests.append(request)


@asynccontextmanager
async def staged(
    screen: Screen[Any], home: Path, size: tuple[int, int] = WIDE, **options: Any
) -> AsyncIterator[Pilot[None]]:
    """The screen on a home, painted. `watched` is the run that Training shows."""
    resource_tracker.ensure_running()  # which an app's stderr, without a number in tests, would keep from starting
    app = Stage(screen, home, **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield pilot
        app.exit()
