"""Make docs/screenshots/*.svg: train for a minute in a home of its own, and photograph the interface on the way.

    python docs/make_screenshots.py [--epochs 12] [--out docs/screenshots]

Needs the bundled digits (the `offline` extra) or the data root in MNIST_TUI_DATA.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from textual.pilot import Pilot

from experiments.locations import Locations
from tui.app.app import LabApp
from tui.screens.inspect import InspectScreen

SIZE = (120, 40)
SMALL = (80, 24)
PATIENCE = 600
"""Seconds that a training may take."""


async def photograph(home: Path, out: Path, epochs: int) -> None:
    locations = Locations.resolve(home)
    app = LabApp(locations)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.5)
        await _prepare(pilot, epochs)
        _shoot(app, out, "lab")
        await pilot.press("ctrl+r")
        await _until(pilot, lambda: app.session.job is not None and app.session.job.done.is_set())
        await _settle(pilot)
        _shoot(app, out, "training")
        await pilot.press("y", "left", "left")
        await _settle(pilot)
        app.theme = "textual-light"
        await _settle(pilot)
        _shoot(app, out, "training-light")
        app.theme = "textual-dark"
        await pilot.press("escape", "y", "y", "y", "i")
        await _until(pilot, lambda: isinstance(app.screen, InspectScreen) and not app.screen.has_class("-busy"))
        await pilot.press("w")
        await _settle(pilot)
        _shoot(app, out, "inspect")
        await pilot.press("escape")
        await _settle(pilot)
        await pilot.press("1", "v", *"0.02", "down", *"8", "ctrl+r")
        await _until(pilot, lambda: _epochs_done(app) >= 1)
        await pilot.press("3")
        await _settle(pilot)
        _shoot(app, out, "runs")
        await pilot.press("2", "q")
        await _settle(pilot)
        _shoot(app, out, "quit")
        await pilot.press("escape")
        await pilot.press("x")
        await _until(pilot, lambda: not app.session.live)
        await pilot.press("3")
        await _settle(pilot)
        await pilot.press("home", "space", "down", "space", "equals_sign")
        await _settle(pilot)
        await _settle(pilot)
        _shoot(app, out, "compare")
        await pilot.press("escape")
        await _settle(pilot)
        await _sweep(pilot)
        _shoot(app, out, "sweep")
        await pilot.press("escape")
        await pilot.press("1", "escape", "e", *" c10q")
        await _settle(pilot)
        _shoot(app, out, "error")
        app.exit(0)
    small = LabApp(locations)
    async with small.run_test(size=SMALL) as pilot:
        await pilot.pause(0.5)
        await pilot.press("3")
        await _settle(pilot)
        await pilot.press("end", "enter")
        await _settle(pilot)
        _shoot(small, out, "small")
        small.exit(0)


async def _prepare(pilot: Pilot[int], epochs: int) -> None:
    """conv5 on the 5,000 bundled digits."""
    await pilot.press("down", "v", "up")
    while pilot.app.screen.query_one("#field-dataset").value != "mnist-5k":
        await pilot.press("right")
    await pilot.press("down", *"0.05", "down", *"64", "down", *str(epochs), "escape")
    await pilot.pause(0.3)


async def _sweep(pilot: Pilot[int]) -> None:
    """A small one, to its end: its process writes to the home."""
    await pilot.press("4")
    await _settle(pilot)
    await pilot.press("n")
    await _settle(pilot)
    await pilot.press("down", *"--lr 0.005:0.5:log --batch-size 32,64,128 --limit-train 1000", "down", "ctrl+u", *"16")
    await pilot.press("down", "ctrl+u", *"5", "down", "down", "down", "right", "enter")
    studies = pilot.app.studies
    await _until(pilot, lambda: any(entry.standing == "finished" for entry in studies.entries))
    await pilot.press("enter")
    await _settle(pilot)
    await pilot.press("b")
    await _settle(pilot)


def _epochs_done(app: LabApp) -> int:
    """Of the run that the interface trains; 0 while it trains none."""
    own = app.run_watch.own if app.session.live else None
    return len(own.view.epochs) if own is not None else 0


async def _until(pilot: Pilot[int], met: object) -> None:
    for _ in range(PATIENCE * 5):
        if met():
            return
        await pilot.pause(0.2)
    raise TimeoutError("the training did not come so far")


async def _settle(pilot: Pilot[int]) -> None:
    """Until charts and toasts are what they will be."""
    await pilot.pause(1.5)
    pilot.app.clear_notifications()
    await pilot.pause(0.3)


def _shoot(app: LabApp, out: Path, name: str) -> None:
    (out / f"{name}.svg").write_text(app.export_screenshot(title="mnist-tui"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "screenshots")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(photograph(Path(home), options.out, options.epochs))
    sys.stdout.write(f"{options.out}\n")


if __name__ == "__main__":
    main()
