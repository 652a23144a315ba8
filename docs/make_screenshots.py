"""Make docs/screenshots: train on full MNIST in a home, photograph the interface, and film it.

    python docs/make_screenshots.py [--home HOME] [--out docs/screenshots]

Needs MNIST (MNIST_TUI_DATA, else it is downloaded) and about a quarter of an hour of two quiet cores. In a home that is
kept what has been trained before is not trained again.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from experiments.locations import Locations
from experiments.runs.store import Store
from tui.app.app import LabApp
from tui.screens.inspect import InspectScreen

SIZE, SMALL, FILM_SIZE = (120, 40), (80, 24), (120, 36)
RUNS = {
    "conv5-0": ["run", "--arch", "conv5", "--epochs", "8", "--seed", "0", "--name", "conv5-0"],
    "tiny-0": ["run", "--preset", "tiny-5k", "--seeds", "0-2", "--name", "tiny"],
}
STUDY = "rates"
SWEEP = (
    "sweep --arch conv5 --lr 0.005:0.5:log --batch-size 32,64,128 --epochs 5 --limit-train 10000 --val-split 2000 "
    f"--trials 16 --study {STUDY}"
).split()
SPEC = ("c8p1", " c12p1", " p2", " c16p1", " c20p1", " p2", " c24p1", " gap fc10")
"""What is typed in the film, a piece for each picture."""
PATIENCE = 600
"""Seconds that a training may take."""
SECONDS = 1.2
"""That a picture of the film stays."""


def train(home: Path) -> None:
    """Train what the home does not have yet."""
    names = {row.name for row in Store(home).rows()}
    missing = [command for name, command in RUNS.items() if name not in names]
    if not (home / "studies" / STUDY).is_dir():
        missing.append(SWEEP)
    for command in missing:
        subprocess.run([sys.executable, "-m", "tui", "--home", home, *command], check=True)


async def photograph(home: Path, out: Path) -> None:
    """All still pictures."""
    app = LabApp(Locations.resolve(home))
    async with app.run_test(size=SIZE) as pilot:
        await _settle(pilot)
        _shoot(app, out, "lab")
        await pilot.press("e", *" c10q")
        await _settle(pilot)
        _shoot(app, out, "error")
        await _open_best(pilot)
        _shoot(app, out, "training")
        await pilot.press("y", "y", "left", "left")
        await _settle(pilot)
        app.theme = "textual-light"
        await _settle(pilot)
        _shoot(app, out, "training-light")
        app.theme = "textual-dark"
        await pilot.press("escape", "y", "y", "i")
        await _until(pilot, lambda: isinstance(app.screen, InspectScreen) and not app.screen.has_class("-busy"))
        await pilot.press("M")
        await _settle(pilot)
        _shoot(app, out, "inspect")
        await pilot.press("escape", "3", "F", "home")
        await _settle(pilot)
        _shoot(app, out, "runs")
        await pilot.press("A", "equals_sign")
        await _settle(pilot)
        await _settle(pilot)
        _shoot(app, out, "compare")
        await pilot.press("escape", "4")
        await _settle(pilot)
        await pilot.press("enter")
        await _settle(pilot)
        await pilot.press("B")
        await _settle(pilot)
        _shoot(app, out, "sweep")
        app.exit(0)
    small = LabApp(Locations.resolve(home))
    async with small.run_test(size=SMALL) as pilot:
        await _settle(pilot)
        await _open_best(pilot)
        _shoot(small, out, "small")
        await pilot.press("3")
        await _settle(pilot)
        _shoot(small, out, "small-runs")
        small.exit(0)


async def film(home: Path) -> list[str]:
    """The pictures of a session, from a spec that is typed to its run among the others, as SVG."""
    pictures = []
    app = LabApp(Locations.resolve(home))
    async with app.run_test(size=FILM_SIZE) as pilot:

        async def take(*keys: str) -> None:
            await pilot.press(*keys)
            await _settle(pilot)
            pictures.append(app.export_screenshot(title="mnist-tui"))

        await take()
        await pilot.press("e", "ctrl+u")
        for piece in SPEC:
            await take(*piece)
        await take("escape", "v", "down", *"0.1", "down", *"64", "down", *"6")
        await take("ctrl+r")
        for epochs in range(1, 7):
            await _until(pilot, lambda least=epochs: _epochs_done(app) >= least or not app.session.live)
            await take()
        await _until(pilot, lambda: not app.session.live)
        await take()
        await take("left", "left")
        await take("escape", "3")
        app.exit(0)
    return pictures


def animated(pictures: list[str]) -> str:
    """One SVG that shows pictures of one size one after the other, for ever."""
    view = pictures[0].split('viewBox="', 1)[1].split('"', 1)[0]
    share = 100 / len(pictures)
    styles = [
        f".film {{ visibility: hidden; animation: film {len(pictures) * SECONDS:g}s step-end infinite }}",
        f"@keyframes film {{ 0% {{ visibility: visible }} {share:.3f}% {{ visibility: hidden }} }}",
        *(f".film-{number} {{ animation-delay: {number * SECONDS:g}s }}" for number in range(len(pictures))),
    ]
    inner = [
        f'<g class="film film-{number}">{picture[picture.index("<svg") :]}</g>'
        for number, picture in enumerate(pictures)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}">'
    return "\n".join([head, "<style>", *styles, "</style>", *inner, "</svg>\n"])


async def _open_best(pilot: Pilot[int]) -> None:
    """The best run of the group, in Training."""
    await pilot.press("escape", "escape", "3", "slash", *"name:tiny-0", "enter")
    await _settle(pilot)
    await pilot.press("F", "end", "enter")
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
    """Until charts and toasts are what they will be."""
    await pilot.pause(1.5)
    pilot.app.clear_notifications()
    await pilot.pause(0.3)


def _shoot(app: LabApp, out: Path, name: str) -> None:
    (out / f"{name}.svg").write_text(app.export_screenshot(title="mnist-tui"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="kept; a temporary one otherwise")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "screenshots")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        home = options.home or Path(temporary)
        train(home)
        asyncio.run(photograph(home, options.out))
        (options.out / "film.svg").write_text(animated(asyncio.run(film(home))))
    sys.stdout.write(f"{options.out}\n")


if __name__ == "__main__":
    main()
