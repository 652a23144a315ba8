"""Measure the interface in a real pseudo-terminal, against the limits it is held to.

    python tests/benchmark/terminal.py [--rounds 3] [--seconds 20] [--device cpu] [--json]

Measured: first paint after the start of the command; from the end of torch's import until training is possible; from a
keystroke in the spec field to the updated table; lists of 10,000 runs; from a key to an inspected network; from a key
to the repaint while conv9 trains on all cores but one; images a second in the interface against `mnist-tui run`, taking
turns; a chart of 100,000 points; bytes a second while training.

Run it on a quiet machine. For a GPU give --device cuda: the goal there is 90 % of the headless speed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from many_runs import make_runs
from pseudo_terminal import TerminalApp

from experiments.runs.store import Store
from tui.live.state import State

SIZE = (120, 40)


@dataclass(frozen=True)
class Measurement:
    what: str
    value: float
    unit: str
    limit: float
    at_least: bool = False
    samples: int = 1

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of start, and of interface against headless")
    parser.add_argument("--seconds", type=float, default=20, help="of training in each round")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dataset", default="mnist", help="mnist-5k ends too soon on a fast machine")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: list[Measurement] = []
    for measurement in measure(options.rounds, options.seconds, options.device, options.dataset):
        found.append(measurement)
        if not options.json:
            sign = "met   " if measurement.met else "MISSED"
            bound = "at least" if measurement.at_least else "at most"
            value = f"{measurement.value:9.3f} {measurement.unit}"
            limit = f"{bound} {measurement.limit:g} {measurement.unit}"
            sys.stdout.write(f"{sign}  {measurement.what:52} {value:16}  {limit}  (n = {measurement.samples})\n")
            sys.stdout.flush()
    if options.json:
        sys.stdout.write(json.dumps([asdict(m) | {"met": m.met} for m in found], indent=1) + "\n")
    sys.exit(0 if all(m.met for m in found) else 1)


def measure(rounds: int, seconds: float, device: str, dataset: str) -> Iterator[Measurement]:
    yield from first_paint(rounds)
    yield from ready_to_train(rounds)
    yield from key_to_table()
    yield from chart_repaint()
    yield from many_runs()
    yield from inspecting(device, dataset)
    yield from while_training(seconds, device, dataset)
    yield from throughput(rounds, seconds, device, dataset)


@contextmanager
def interface(home: Path, **environment: str) -> Iterator[TerminalApp]:
    app = TerminalApp(home, SIZE, environment=environment)
    try:
        yield app
    finally:
        app.close()


@contextmanager
def fresh_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def first_paint(rounds: int) -> Iterator[Measurement]:
    times = []
    for _ in range(rounds + 1):
        with fresh_home() as home, interface(home) as app:
            app.wait_for(lambda text: "ctrl+r" in text and "Conv2d-1" in text)
            times.append(time.perf_counter() - app.started_at)
    yield Measurement("first paint after the start", statistics.median(times[1:]), "s", 1.0, samples=rounds)


def ready_to_train(rounds: int) -> Iterator[Measurement]:
    """From the start of the command, through the key pressed at first sight, to a run's first line, less what a bare
    import of torch takes. So loading the data, building the network and making the run's folder are in it."""
    over = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        bare = time.perf_counter() - started
        with fresh_home() as home:
            State(form={"dataset": "mnist-5k", "device": "cpu"}).save(home / "state.json")
            with interface(home) as app:
                app.wait_for("Ready")
                app.press("ctrl+r")
                app.wait_for("started on")
                over.append(time.perf_counter() - app.started_at - bare)
    what = "a run begun after the start, less torch's import"
    yield Measurement(what, statistics.median(over), "s", 1.5, samples=rounds)


def choose(home: Path, dataset: str, device: str) -> Path:
    """Let the Lab of a home begin with a data set and a device."""
    State(form={"dataset": dataset, "device": device}).save(home / "state.json")
    return home


LARGE = "c8p1 c8p1b0r rep12(res(c8p1b0r c8p1b0l bn) relu dc0.1) p2 tie8(c8p1r) rep4(c12p1 gn4 silu) gap fc10"
"""151 layers, most of them inside others."""


def key_to_table() -> Iterator[Measurement]:
    """The first convolution's channels typed and deleted again, until its row says so, in conv9 and in a large spec."""
    for what, spec in (("the spec", "c8p1 c8 c16 p2 c16 c32 c16k1 c16 c32 gap fc10"), ("a spec of 151 layers", LARGE)):
        times = []
        with fresh_home() as home, interface(home) as app:
            app.wait_for("Ready")
            app.read_for(6)  # torch is imported by then
            app.press("e")
            app.process.send("\x15" + spec)  # in place of what stands there
            app.read_for(3)
            app.press("\x1b[H", "right", "right")
            for turn in range(40):
                started = time.perf_counter()
                app.process.send("0" if turn % 2 == 0 else "\x7f")
                while ("80x28x28" in app.screen.text) != (turn % 2 == 0) and time.perf_counter() - started < 1:
                    app.read(0.002)
                times.append(1e3 * (time.perf_counter() - started))
                app.read_for(0.1)
        yield Measurement(f"keystroke in {what} to the updated table, p95", _p95(times), "ms", 50, samples=len(times))


def chart_repaint() -> Iterator[Measurement]:
    code = """
import asyncio, time
from textual.app import App
from textual.geometry import Region
import numpy as np
from tui.widgets.charts.chart import Chart
from tui.drawing.series import Series
class One(App):
    def compose(self):
        yield Chart("t", "", id="c")
async def main():
    async with One().run_test(size=(120, 40)) as pilot:
        chart = pilot.app.query_one(Chart)
        xs = np.arange(100_000.0)
        times = []
        for turn in range(12):
            ys = 1 / (1 + xs % 997) + turn
            started = time.perf_counter()
            chart.show(turn, lambda: (Series("loss", "train", xs, ys),), title="t", now=True)
            chart.render_lines(Region(0, 0, *chart.size))
            times.append(time.perf_counter() - started)
        print(sorted(times)[len(times) // 2])
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    yield Measurement("a chart of 100,000 points, drawn", 1e3 * float(done.stdout), "ms", 40, samples=12)


def many_runs(count: int = 10_000) -> Iterator[Measurement]:
    """A home of thousands, its index made: from the key to the first rows, and from a page key to other rows."""
    with fresh_home() as home:
        started = time.perf_counter()
        make_runs(home, count)
        Store(home).rows()
        sys.stderr.write(f"{count:,} runs made and indexed in {time.perf_counter() - started:.0f} s\n")
        with interface(home) as app:
            app.wait_for("Ready")
            app.read_for(6)  # torch is imported by then
            started = time.perf_counter()
            app.process.send("3")
            while "finished" not in app.screen.text and time.perf_counter() - started < 20:
                app.read(0.005)
            yield Measurement("Runs opened, of 10,000", time.perf_counter() - started, "s", 0.5)
            app.read_for(2)
            times = []
            for _ in range(40):
                before = app.screen.text
                started = time.perf_counter()
                app.process.send("\x1b[6~")  # page down
                while app.screen.text == before and time.perf_counter() - started < 5:
                    app.read(0.005)
                times.append(1e3 * (time.perf_counter() - started))
                app.read_for(0.05)
            yield Measurement("a page of 10,000 runs, p95", _p95(times), "ms", 100, samples=len(times))
            app.press("/", "run 12")
            app.read_for(1)
            times = []
            for turn in range(20):
                key, wanted = ("3", "run 123") if turn % 2 == 0 else ("\x7f", "run 12 ")
                started = time.perf_counter()
                app.process.send(key)
                while wanted not in app.screen.text.split("\n")[1] and time.perf_counter() - started < 5:
                    app.read(0.002)
                times.append(1e3 * (time.perf_counter() - started))
                app.read_for(0.1)
            yield Measurement("a letter in the filter of 10,000 runs, p95", _p95(times), "ms", 100, samples=len(times))


def inspecting(device: str, dataset: str) -> Iterator[Measurement]:
    """A run of conv9: from the key in Runs to its confusion matrix, for which all test images are scored, and from one
    cell of it to the next, whose worst mistake is drawn."""
    with fresh_home() as home:
        command = [sys.executable, "-m", "tui", "run", "--dataset", dataset, "--device", device, "--quiet"]
        short = ["--epochs", "1", "--limit-train", "2560"]
        subprocess.run([*command, *short], env={**os.environ, "MNIST_TUI_HOME": str(home)}, check=True)
        with interface(home) as app:
            app.wait_for("Ready")
            app.read_for(6)  # torch is imported by then
            app.press("3")
            app.read_for(2)
            started = time.perf_counter()
            app.process.send("i")
            while "taken for" not in app.screen.text and time.perf_counter() - started < 20:
                app.read(0.005)
            yield Measurement("Inspect opened", time.perf_counter() - started, "s", 1.5)
            times = []
            for turn in range(20):
                app.read_for(0.2)
                before, started = app.screen.text, time.perf_counter()
                app.process.send("\x1b[A" if turn % 2 == 0 else "\x1b[B")
                while app.screen.text == before and time.perf_counter() - started < 5:
                    app.read(0.002)
                times.append(1e3 * (time.perf_counter() - started))
        yield Measurement("from cell to cell of the confusion matrix, p95", _p95(times), "ms", 50, samples=len(times))


def while_training(seconds: float, device: str, dataset: str) -> Iterator[Measurement]:
    times = []
    threads = str(max((os.cpu_count() or 1) - 1, 1))
    with fresh_home() as home, interface(choose(home, dataset, device), OMP_NUM_THREADS=threads) as app:
        app.wait_for("Ready")
        app.press("ctrl+r")
        app.wait_for("/20 loss=", 120)
        app.read_for(2)
        written, started = app.written, time.perf_counter()
        app.read_for(seconds)
        rate = (app.written - written) / (time.perf_counter() - started)
        deadline = time.perf_counter() + seconds
        turn = 0
        while time.perf_counter() < deadline:
            times.append(1e3 * _key_to_repaint(app, "1" if turn % 2 == 0 else "2"))
            turn += 1
        app.press("2", "x")
        app.wait_for("stopped", 30)
    yield Measurement("bytes a second while training", rate / 1e3, "kB/s", 40)
    yield Measurement("key to repaint while training, p95", _p95(times), "ms", 50, samples=len(times))


def _key_to_repaint(app: TerminalApp, key: str) -> float:
    """Between two screens: the time until the place that the key leads to is marked in the first line."""
    wanted = "Architecture" if key == "1" else "whole run"
    app.read_for(0.2)
    started = time.perf_counter()
    app.process.send(key)
    while wanted not in app.screen.text and time.perf_counter() - started < 2:
        app.read(0.002)
    return time.perf_counter() - started


def throughput(rounds: int, seconds: float, device: str, dataset: str) -> Iterator[Measurement]:
    """Median images a second over a run's whole epochs, interface and headless taking turns; of the ratios the median,
    as a virtual machine has phases of twice the time."""
    inside, headless = [], []
    for _ in range(rounds):
        with fresh_home() as home:
            headless.append(_headless(home, seconds, device, dataset))
        with fresh_home() as home, interface(choose(home, dataset, device)) as app:
            app.wait_for("Ready")
            app.press("ctrl+r")
            app.wait_for("/20 loss=", 120)
            app.read_for(seconds)
            app.press("x")
            app.wait_for("stopped", 30)
            inside.append(_images_per_second(home))
    share = 100 * statistics.median(one / other for one, other in zip(inside, headless, strict=True))
    goal = 97 if device == "cpu" else 90
    yield Measurement("images a second, interface to headless", share, "%", goal, at_least=True, samples=rounds)


def _headless(home: Path, seconds: float, device: str, dataset: str) -> float:
    command = [sys.executable, "-m", "tui", "run", "--dataset", dataset, "--device", device, "--quiet"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "MNIST_TUI_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    runs: list[object] = []
    while not runs and process.poll() is None:
        time.sleep(0.05)
        runs = [run for run in Store(home).runs() if run.view().started is not None]
    time.sleep(seconds)
    process.terminate()
    process.wait()
    return _images_per_second(home)


def _images_per_second(home: Path) -> float:
    """Over training and evaluation of all whole epochs but the first, which warms up."""
    view = Store(home).runs()[0].view()
    assert view.started is not None, "the run has begun"
    epochs = view.epochs[1:] or view.epochs
    if not epochs:
        return view.progress.images_per_second if view.progress else 0.0
    return statistics.median(view.started.train_images / epoch.seconds for epoch in epochs)


def _p95(values: list[float]) -> float:
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]


if __name__ == "__main__":
    main()
