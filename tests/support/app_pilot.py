"""The app without a terminal and without torch, for tests that press keys and read the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from unittest.mock import patch

from textual._context import visible_screen_stack
from textual.pilot import Pilot

from core.config import TrainConfig
from core.events import EndEvent
from experiments.locations import Locations
from experiments.runs.folder import Meta, Run
from experiments.runs.store import Store
from tui.app.app import LabApp

WIDE, SMALL = (120, 40), (80, 24)


@asynccontextmanager
async def opened(home: Path, size: tuple[int, int] = WIDE, **options: object) -> AsyncIterator[Pilot[int]]:
    """The app on a home, its first screen painted."""
    resource_tracker.ensure_running()  # which an app's stderr, without a number in tests, would keep from starting
    with patch("tui.app.app.import_torch"):
        app = LabApp(Locations.resolve(home, home / "data"), **options)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            yield pilot
            app.exit(0)


def screen_text(pilot: Pilot[int]) -> str:
    """What is on the screen, line by line."""
    visible_screen_stack.set(pilot.app._background_screens)  # as before each frame; a dialog has nothing below it else
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


SLOW = {
    "arch": "c24p1 c24p1 c24p1 gap fc10",
    "engine": "eager",
    "dataset": "mnist-5k",
    "device": "cpu",
    "batch_size": "4",
}
"""A form whose range test has a thousand steps, of so slow a network that it is still at it when it is looked at."""


async def wait_for(pilot: Pilot[int], met: Callable[[], object], seconds: float = 30) -> None:
    """Let the app go on until something is so."""
    for _ in range(int(seconds / 0.05)):
        if met():
            return
        await pilot.pause(0.05)
    raise AssertionError(f"it never came to that; the screen:\n{screen_text(pilot)}")


async def wait_for_text(pilot: Pilot[int], text: str) -> None:
    await wait_for(pilot, lambda: text in screen_text(pilot))


def make_run(home: Path, script, *events: object, meta: Meta | None = None, **config: object) -> Run:
    """A run as another process would have written it."""
    checked = TrainConfig.checked({"dataset": "mnist", **config})
    run = Store(home).create(checked, meta or Meta(), {})
    script.write(run, *events)
    if events and isinstance(events[-1], EndEvent):
        run.release()
    return run
