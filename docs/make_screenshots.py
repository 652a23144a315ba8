"""Make docs/screenshots: train on full MNIST in a home, photograph the interface at each size, and film a session.

    python docs/make_screenshots.py [--home HOME] [--out docs/screenshots] [--only stills|film]

Needs MNIST (MNIST_TUI_DATA, else it is downloaded) and about half an hour of two quiet cores. In a home that is kept
what has been trained before is not trained again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from screen_svg import Picture, Styles, read
from screen_svg import film as film_of
from screen_svg import still as still_of
from textual.pilot import Pilot
from textual.screen import Screen

from experiments.locations import Locations
from experiments.runs.store import Store
from tui.app.app import LabApp
from tui.screens.compare import CompareScreen
from tui.screens.inspect import InspectScreen
from tui.screens.study import StudyScreen
from tui.screens.sweeps import SweepsScreen
from tui.text.keys import keys_of

SIZES = {"": (120, 40), "-200x60": (200, 60)}
"""What is added to the name of a picture, and its columns and lines."""
SMALL, FILM_SIZE = (80, 24), (110, 34)
BEST, GROUP, STUDY = "best-20k", "tiny-6-epochs", "rates"
RUNS = {
    BEST: f"run --preset best-20k --name {BEST}",
    f"{GROUP}-0": f"run --preset tiny-5k --epochs 6 --seeds 0-3 --name {GROUP}",
}
"""By the name of the first run that each of them makes."""
SWEEP = (
    "sweep --arch conv5 --lr 0.005:0.5:log --batch-size 32,64,128,256 --epochs 2 --val-split 5000 "
    f"--trials 10 --study {STUDY}"
)
SPEC = ("c8", " p2", " c16", " p2", " c16", " gap", " fc10")
"""What is typed in the film, a piece for each picture."""
EPOCHS = 5
"""Of the run in the film."""
MARK = keys_of("mark")[0]
PATIENCE = 600
"""Seconds that a training may take."""


def train(home: Path) -> None:
    """Train what the home does not have yet."""
    names = {row.name for row, _ in Store(home).rows()}
    missing = [command for name, command in RUNS.items() if name not in names]
    if not (home / "studies" / STUDY).is_dir():
        missing.append(SWEEP)
    for command in missing:
        subprocess.run([sys.executable, "-m", "tui", "--home", home, *command.split()], check=True)


async def photograph(home: Path, out: Path, size: tuple[int, int], suffix: str) -> None:
    """All still pictures of a size."""
    app = LabApp(Locations.resolve(home))

    def shoot(name: str) -> None:
        styles = Styles()
        (out / f"{name}{suffix}.svg").write_text(still_of(_picture(app, styles), styles))

    async with app.run_test(size=size) as pilot:
        await _settle(pilot)
        shoot("lab")
        await pilot.press("e", *" c10q")
        await _settle(pilot)
        shoot("error")
        await _open_best(pilot)
        shoot("training")
        await pilot.press("y", "y", "left", "left")
        await _settle(pilot)
        app.theme = "textual-light"
        await _settle(pilot)
        shoot("training-light")
        app.theme = "textual-dark"
        await pilot.press("escape", "y", "y", "i")
        await _until(pilot, lambda: isinstance(app.screen, InspectScreen) and not app.screen.has_class("-busy"))
        await pilot.press("M")
        await _settle(pilot)
        shoot("inspect")
        await _list(pilot)
        shoot("runs")
        await _compare(pilot)
        await _settle(pilot)
        shoot("compare")
        await pilot.press("escape")
        await _open_sweep(pilot)
        shoot("sweep")
        app.exit(0)


async def photograph_small(home: Path, out: Path) -> None:
    """Training in the smallest terminal."""
    app, styles = LabApp(Locations.resolve(home)), Styles()
    async with app.run_test(size=SMALL) as pilot:
        await _settle(pilot)
        await _open_best(pilot)
        (out / "small.svg").write_text(still_of(_picture(app, styles), styles))
        app.exit(0)


async def film(home: Path) -> str:
    """A session, from a spec that is typed to the verdict on its run: each epoch is one picture, however long it took.

    What is trained for it goes into a copy of the home.
    """
    pictures: list[Picture] = []
    seconds: list[float] = []
    styles = Styles()
    app = LabApp(Locations.resolve(home))
    async with app.run_test(size=FILM_SIZE) as pilot:

        async def take(*keys: str, stay: float = 1.0) -> None:
            await pilot.press(*keys)
            await _settle(pilot)
            pictures.append(_picture(app, styles))
            seconds.append(stay)

        await take(stay=2)
        await take("e", "ctrl+u", stay=0.5)
        for piece in SPEC:
            await take(*piece, stay=0.4)
        await take("escape", "v", *"0.05", stay=0.8)
        await take("down", *"128", stay=0.8)
        await take("down", *str(EPOCHS), stay=1)
        await take("ctrl+r", stay=0.6)
        for epoch in range(1, EPOCHS + 1):
            await _until(pilot, lambda least=epoch: _epochs_done(app) >= least or not app.session.live)
            await take()
        await _until(pilot, lambda: not app.session.live)
        await take(stay=1.5)
        await take("left", "left", stay=1.5)
        await take("escape", "3", stay=1)
        await take("o", "home", stay=3)
        await take(MARK, "home", "down", "asterisk", "end", MARK, stay=1)
        await pilot.press("equals_sign")
        await _until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await take(stay=3)
        await take("tab", stay=2)
        await take("tab", stay=4)
        app.exit(0)
    return film_of(pictures, seconds, styles)


def _picture(app: LabApp, styles: Styles) -> Picture:
    return read(app.export_screenshot(simplify=True), styles)


async def _list(pilot: Pilot[int]) -> None:
    """Runs, the group unfolded and the sweep folded, the best one on top."""
    await pilot.press("escape", "escape", "3", "escape", "o", "home")
    await _settle(pilot)
    await pilot.press("down", "right", "home")
    await _settle(pilot)


async def _compare(pilot: Pilot[int]) -> None:
    """The best run and the group, from a list that begins with them."""
    await pilot.press("home", MARK, "home", "down", "asterisk", "equals_sign")
    await _until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
    await _settle(pilot)


async def _open_best(pilot: Pilot[int]) -> None:
    """The run of the largest network, in Training."""
    await pilot.press("escape", "escape", "3", "escape", "slash", *f"name:{BEST}", "enter")
    await _settle(pilot)
    await pilot.press("enter")
    await _settle(pilot)


def _can_open(screen: Screen[Any]) -> bool:
    """Whether the sweep that the list of sweeps is at has been read."""
    return isinstance(screen, SweepsScreen) and screen.entry is not None and screen.entry.view is not None


async def _open_sweep(pilot: Pilot[int]) -> None:
    """The newest sweep, at its best trial."""
    await pilot.press("4")
    await _until(pilot, lambda: _can_open(pilot.app.screen))
    await pilot.press("enter")
    await _until(pilot, lambda: isinstance(pilot.app.screen, StudyScreen))
    await _settle(pilot)
    await pilot.press("B")
    await _settle(pilot)


def _epochs_done(app: LabApp) -> int:
    """Of the run that the interface trains; 0 while it trains none."""
    own = app.run_watch.own if app.session.live else None
    return len(own.view.epochs) if own is not None else 0


async def _until(pilot: Pilot[int], met: Callable[[], bool]) -> None:
    for _ in range(PATIENCE * 5):
        if met():
            return
        await pilot.pause(0.2)
    raise TimeoutError("the training did not come so far")


async def _settle(pilot: Pilot[int]) -> None:
    """Until charts and toasts are what they will be: until nothing changes, or something always does."""
    await pilot.pause(1.5)
    pilot.app.clear_notifications()
    before = ""
    for _ in range(20):
        await pilot.pause(0.5)
        now = pilot.app.export_screenshot()
        if now == before and "reading" not in now:
            break
        before = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="kept; a temporary one otherwise")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "screenshots")
    parser.add_argument("--only", choices=["stills", "film"])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as temporary:
        home = options.home or Path(temporary) / "home"
        train(home)
        # What pictures leave behind, such as what was typed last, is not to be in the next ones.
        for number, (suffix, size) in enumerate(SIZES.items()):
            if options.only != "film":
                copy = shutil.copytree(home, Path(temporary) / f"stills-{number}")
                asyncio.run(photograph(copy, options.out, size, suffix))
        if options.only != "film":
            asyncio.run(photograph_small(home, options.out))
        if options.only != "stills":
            copy = shutil.copytree(home, Path(temporary) / "film")
            (options.out / "film.svg").write_text(asyncio.run(film(copy)))
    sys.stdout.write(f"{options.out}\n")


if __name__ == "__main__":
    main()
