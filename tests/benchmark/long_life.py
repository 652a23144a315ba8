"""One life of the interface with very many short runs: ``python tests/benchmark/long_life.py [RUNS] [--every 50]``.

Each is designed in the Lab, started by its key, trained, and looked at in Training; now and then Runs, Sweeps, a filter
and the help are opened too. Every so often a line says what the process holds: memory, handles, threads, children, what
Python keeps, and the time of a whole repaint. A first screen is painted by Textual without a terminal.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from textual.pilot import Pilot

from experiments.locations import Locations
from experiments.runs.row import Status
from experiments.runs.store import Store
from tui.app.app import LabApp
from tui.live.state import State

FORM = {"dataset": "mnist-5k", "device": "cpu", "epochs": "1", "batch_size": "32"}
FORM |= {"limit_train": "64", "limit_test": "50", "engine": "eager"}
TITLES = ("runs", "minutes", "MB", "handles", "threads", "children", "objects", "repaint ms", "a run, s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="?", type=int, default=2000)
    parser.add_argument("--every", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        State(form=FORM, own_spec="c2s4 gap fc10").save(home / "state.json")
        asyncio.run(live(home, options.runs, options.every))
        states = [status for _, status in Store(home).rows()]
        assert states == [Status.FINISHED] * options.runs, states


async def live(home: Path, runs: int, every: int) -> None:
    print("".join(f"{title:>12}" for title in TITLES))
    app = LabApp(Locations.resolve(home))
    began = last = time.monotonic()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        for number in range(1, runs + 1):
            await one_run(pilot, app, number)
            if number % every == 0 or number == 10:
                await look_around(pilot)
                now = time.monotonic()
                print(line(number, (now - began) / 60, await repaint(pilot), (now - last) / every), flush=True)
                last = now
        app.exit(0)


async def one_run(pilot: Pilot[int], app: LabApp, number: int) -> None:
    await pilot.press("1")
    await until(pilot, lambda: "Ready" in text_of(app))
    await pilot.press("ctrl+r")
    await until(pilot, lambda: app.session.job is not None and len(app.session.job.ends) == 1 and not app.session.live)
    assert len(Store(app.locations.home).runs()) == number
    await pilot.pause(0.15)


async def look_around(pilot: Pilot[int]) -> None:
    for key in ("2", "3", "down", "enter", "3", "slash", "f", "c", "escape", "escape", "4", "question_mark", "escape"):
        await pilot.press(key)
        await pilot.pause(0.1)


async def repaint(pilot: Pilot[int]) -> float:
    """Milliseconds of a processor for the whole of Training."""
    await pilot.press("2")
    times = []
    for _ in range(10):
        used = time.process_time()
        pilot.app.screen.refresh(layout=True)
        await pilot.pause()
        pilot.app.screen._compositor.render_strips()
        times.append(1e3 * (time.process_time() - used))
    return median(times)


async def until(pilot: Pilot[int], met) -> None:
    deadline = time.monotonic() + 120
    while not met():
        assert time.monotonic() < deadline, text_of(pilot.app)
        await pilot.pause(0.02)


def text_of(app: LabApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def line(number: int, minutes: float, repaint_ms: float, seconds: float) -> str:
    gc.collect()
    process = psutil.Process()
    values = (f"{number:,}", f"{minutes:.1f}", f"{process.memory_info().rss / 1e6:.0f}", process.num_fds())
    values += (process.num_threads(), len(process.children(recursive=True)), f"{len(gc.get_objects()):,}")
    return "".join(f"{value:>12}" for value in (*values, f"{repaint_ms:.1f}", f"{seconds:.2f}"))


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    main()
