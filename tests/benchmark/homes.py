"""Homes of very many runs, in time and memory: ``python tests/benchmark/homes.py [COUNT ...] [--at FOLDER]``.

Without a count of 1,000, 20,000 and 100,000. With --at the homes are made in this folder, or found there, and stay.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from many_runs import make_runs
from pseudo_terminal import TerminalApp

COUNTS = (1_000, 20_000, 100_000)
MEASURE = """
import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
seconds, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
Line = tuple[str, float, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("counts", nargs="*", type=int, default=COUNTS)
    parser.add_argument("--at", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for count in options.counts:
            home = (options.at or Path(folder)) / f"home-{count}"
            if not home.exists():
                make_runs(home, count)
            print(f"{count:,} runs")
            for what, value, unit in [*commands(home), *interface(home)]:
                print(f"  {what:48} {value:9.3f} {unit}", flush=True)


def commands(home: Path) -> Iterator[Line]:
    """Seconds, those of the processor, and memory of commands; the first of them makes the index."""
    for index in home.glob("index.sqlite*"):
        index.unlink()
    newest = max(path.name for path in (home / "runs").iterdir())
    for what, command in (
        ("runs, the index made", ["runs", "--limit", "20"]),
        ("runs --limit 20", ["runs", "--limit", "20"]),
        ("runs, all of them", ["runs"]),
        ("runs --where, a few", ["runs", "--where", "acc>99.4 run 99"]),
        ("show by id", ["show", newest]),
        ("show by name", ["show", "run 77"]),
        ("show of a group", ["show", "g20200101-000000-00000001"]),
        ("note by name", ["note", "run 78", "seen"]),
        ("rm by id", ["rm", newest, "--yes"]),
    ):
        arguments = [sys.executable, "-m", "tui", "--home", str(home), *command]
        found = subprocess.run([sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True)
        code, seconds, processor, memory = found.stdout.split()
        assert code == "0", found.stderr
        yield what, float(seconds), f"s, {float(processor):6.2f} s of a processor, {float(memory):5.0f} MB"


def interface(home: Path) -> Iterator[Line]:
    app = TerminalApp(home, (120, 40), environment={"MNIST_TUI_DATA": os.environ.get("MNIST_TUI_DATA", "")})
    try:
        process = psutil.Process(app.process.pid)
        app.wait_for("Ready")
        app.read_for(6)  # torch is imported by then
        yield "Runs: opened", _until(app, "3", lambda text: "finished" in text), "s"
        app.read_for(5)
        yield "Runs: a page", _turns(app, [("\x1b[6~", None)] * 20), "ms, median of 20"
        app.press("/")
        app.process.send("run 12")
        app.read_for(2)
        pair = [("3", "run 123"), ("\x7f", "run 12 ")]
        yield "Runs: a letter in a filter that finds one in 100", _turns(app, pair * 10), "ms, median of 20"
        for _ in range(6):
            app.press("backspace")
        app.read_for(3)
        pair = [("r", "filter: words" * 0 or None), ("\x7f", None)]
        yield "Runs: a letter in a filter that finds all", _turns(app, pair * 10), "ms, median of 20"
        app.press("escape")
        app.read_for(2)
        used, began = sum(process.cpu_times()[:2]), time.perf_counter()
        app.read_for(20)
        yield "Runs: of a processor, nothing done", _share(process, used, began), "%"
        app.press("1")
        app.read_for(2)
        used, began = sum(process.cpu_times()[:2]), time.perf_counter()
        app.read_for(20)
        yield "Lab: of a processor, nothing done", _share(process, used, began), "%"
        yield "memory, with torch", process.memory_info().rss / 1e6, "MB"
    finally:
        app.close()


def _share(process: psutil.Process, used: float, began: float) -> float:
    return 100 * (sum(process.cpu_times()[:2]) - used) / (time.perf_counter() - began)


def _turns(app: TerminalApp, turns: list[tuple[str, str | None]]) -> float:
    """Milliseconds from a key to a screen that has a text in its second line, or to another screen for None."""
    times = []
    for key, wanted in turns:
        before = app.screen.text
        times.append(
            1e3 * _until(app, key, lambda text: text != before if wanted is None else wanted in text.split("\n")[1])  # noqa: B023
        )
        app.read_for(0.3)
    return median(times)


def _until(app: TerminalApp, key: str, met) -> float:
    began = time.perf_counter()
    app.process.send(key)
    while not met(app.screen.text):
        app.read(0.002)
        assert time.perf_counter() - began < 60, app.screen.text
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
