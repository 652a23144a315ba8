"""Homes of very many runs, in time and memory: ``python tests/benchmark/homes.py [COUNT ...] [--at FOLDER]``.

Without a count of 1,000, 20,000 and 100,000. With --at the homes are made in this folder, or found there, and stay.
"""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from many_runs import make_runs
from pseudo_terminal import TerminalApp

from experiments.runs.store import Store

COUNTS = (1_000, 20_000, 100_000)
MEASURE = """
import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
seconds, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
COUNT = r"([\d,]+(?: of [\d,]+)?) runs,"
"""What Runs says of how many are listed."""
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
            for what, value, unit in itertools.chain(commands(home), interface(home)):
                print(f"  {what:48} {value:9.3f} {unit}", flush=True)


def commands(home: Path) -> Iterator[Line]:
    """Seconds, those of the processor, and memory of commands; the first of them makes the index."""
    for index in home.glob("index.sqlite*"):
        index.unlink()
    newest = Store(home).find("latest").id
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
    """Seconds of a processor: on a busy machine the time itself says little."""
    app = TerminalApp(home, (120, 40))
    try:
        app.wait_for("Ready")
        yield "start, until the Lab is ready", _used(app), "s"
        app.read_for(6)  # torch is imported by then
        listed = lambda: re.search(COUNT, app.screen.text)  # noqa: E731
        yield "Runs opened", _spent(app, "3", listed), "s"
        app.read_for(5)
        yield "a page", _turns(app, ["\x1b[6~"] * 20, lambda: app.screen.text), "ms, mean of 20"
        app.press("/")
        app.process.send('"run ')
        app.read_for(3)
        for what in ("all", "a tenth of them", "a hundredth of them"):
            times = _turns(app, ["1", "\x7f"] * 10, lambda: re.findall(COUNT, app.screen.text))
            yield f"a letter in a filter that has found {what}", times, "ms, mean of 20"
            app.press("1")
            app.read_for(2)
        app.press("escape")
        for key, screen in (("3", "Runs"), ("1", "the Lab")):
            app.press(key)
            app.read_for(3)
            used, began = _used(app), time.perf_counter()
            app.read_for(30)
            yield (
                f"nothing done, {screen} shown",
                100 * (_used(app) - used) / (time.perf_counter() - began),
                "% of a processor",
            )
        yield "memory, torch imported", psutil.Process(app.process.pid).memory_info().rss / 1e6, "MB"
    finally:
        app.close()


def _used(app: TerminalApp) -> float:
    return sum(psutil.Process(app.process.pid).cpu_times()[:2])


def _turns(app: TerminalApp, keys: list[str], look: Callable[[], object]) -> float:
    """Milliseconds for a key, until what is looked at is other than before."""
    spent = 0.0
    for key in keys:
        before = look()
        spent += _spent(app, key, lambda before=before: look() != before)
        app.read_for(0.5)
    return 1e3 * spent / len(keys)


def _spent(app: TerminalApp, key: str, met: Callable[[], object]) -> float:
    """Seconds of a processor from a key on."""
    used, deadline = _used(app), time.perf_counter() + 300
    app.process.send(key)
    while not met():
        app.read(0.002)
        assert time.perf_counter() < deadline, app.screen.text
    return _used(app) - used


if __name__ == "__main__":
    main()
