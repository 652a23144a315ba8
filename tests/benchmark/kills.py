"""Processes that are killed at random moments: ``python tests/benchmark/kills.py [KIND KILLS]...``.

A life of `run`, `seeds`, `sweep` or `queue` is a home in which the command is begun, killed, gone on with and killed
again, up to three times, its process alone or all that it has started, and then let go on to its end. A life of the
`interface` is a run begun in a pseudo-terminal, where it is killed (SIGKILL) or hung up (SIGHUP). In the end all runs
have finished with the weights of runs that were left in peace, `verify` agrees, and nothing half made lies about. Exits
1 where something was lost. Another SEED in the environment draws other moments.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from pseudo_terminal import TerminalApp

from core.config import TrainConfig
from core.events import RunFinished
from core.storage.files import LEFT_AFTER
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.queue.line import Queue
from experiments.runs.store import Store
from experiments.verification.verify import verify
from tui.live.state import State

USUAL = ("run", "80", "seeds", "60", "sweep", "30", "queue", "30", "interface", "100")
SMALL = "--dataset mnist-5k --limit-train 512 --limit-test 100 --batch-size 32 --device cpu --engine eager"
NET = ("--arch", "c2s4 gap fc10", "--epochs", "6", *SMALL.split())
SWEEP = ("sweep", "--study", "s", "--trials", "4", "--jobs", "1", "--sampler", "random", "--lr", "0.01:1:log", *NET)
FORM = {"dataset": "mnist-5k", "limit_train": "512", "limit_test": "100", "batch_size": "32", "device": "cpu"}
FORM |= {"engine": "eager", "epochs": "6", "arch": NET[1]}
SEED = os.environ.get("SEED", "0")
KILLS = 3

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["torch", "safetensors.torch", "optuna", "tui.cli", "core.training.trainer"])


class Lives:
    """Homes in a folder, and the weights that runs come to by seed when nothing happens to them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, itertools.count()
        self.seconds: dict[str, float] = {}
        self.weights: dict[tuple[str, int], str] = {}

    def home(self) -> Path:
        return self._folder / f"home-{next(self._count)}"

    def learn(self, kind: str) -> None:
        """Let a kind live in peace, for its time and its weights."""
        home = self.home()
        for attempt in range(2):  # the first also for data to decode and what to import
            began = time.monotonic()
            go_on_to_the_end(kind, home)
            self.seconds[kind] = time.monotonic() - began
            if attempt == 0:
                shutil.rmtree(home)
        if kind != "interface":
            self.weights |= {(kind, seed): weights for seed, weights in ends(kind, home)}

    def live(self, kind: str, kills: int, rng: random.Random) -> int:
        """One life; returns how often it was killed."""
        home, killed = self.home(), 0
        if kind == "interface":
            killed = in_the_interface(home, rng, self.seconds[kind])
        else:
            for _ in range(kills):
                killed += one_kill(kind, home, rng, self.seconds[kind])
        for path in home.rglob(".*"):  # what was left is old by now
            with suppress(OSError):
                os.utime(path, 2 * (time.time() - LEFT_AFTER - 60,), follow_symlinks=False)
        go_on_to_the_end(kind, home)
        Store(home).check_writable()  # as the next start does
        self.check(kind, home)
        shutil.rmtree(home, ignore_errors=True)
        return killed

    def check(self, kind: str, home: Path) -> None:
        found = ends(kind, home)
        seeds = [seed for seed, _ in found]
        expected = {"run": [0], "seeds": [0, 1], "interface": [0], "sweep": [0] * 4, "queue": [0, 1]}[kind]
        assert seeds == expected, f"runs of the seeds {seeds}"
        if kind == "interface" and not self.weights.get((kind, 0)):  # its form has values of its own
            self.weights[kind, 0] = weights_in_peace(Store(home).runs()[0].config(), self.home())
        if kind != "sweep":  # whose trials have other values each time
            for seed, weights in found:
                assert weights == self.weights[kind, seed], f"seed {seed} has come to other weights"
        for run in Store(home).runs():
            verification = verify(run, Locations.resolve(home))
            assert verification.agrees, [str(check) for check in verification.checks if check.agrees is False]
        hidden = [str(path.relative_to(home)) for path in home.rglob(".*")]
        assert not hidden, f"left: {hidden}"


def ends(kind: str, home: Path) -> list[tuple[int, str]]:
    """Seed and weights of each run; all must have finished."""
    runs = Store(home).runs()
    found = [(run.config()["seed"], run.view().end) for run in runs]
    assert all(isinstance(end, RunFinished) for _, end in found), [run.status() for run in runs]
    return sorted((seed, end.weights_sha256) for seed, end in found if isinstance(end, RunFinished))


def weights_in_peace(config: dict[str, object], home: Path) -> str:
    import torch

    torch.set_num_threads(1)
    end = list(Runner(Locations.resolve(home)).run(TrainConfig.checked(config)))[-1].event
    assert isinstance(end, RunFinished)
    return end.weights_sha256


def begin(home: Path, *arguments: str) -> multiprocessing.process.BaseProcess:
    child = context.Process(target=_command, args=(["--home", str(home), *arguments], f"{home}.said"))
    child.start()
    return child


def _command(arguments: list[str], said: str) -> None:
    os.setsid()
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    import torch

    torch.set_num_threads(1)
    from tui.cli import app

    sys.argv = ["mnist-tui", *arguments]
    app()


def next_command(kind: str, home: Path) -> tuple[str, ...] | None:
    """What somebody would call now; None when there is nothing left to do."""
    runs = sorted(Store(home).runs(), key=lambda run: run.config()["seed"])
    open_runs = [run for run in runs if not isinstance(run.view().end, RunFinished)]
    if kind == "sweep":
        return SWEEP if len(runs) < 4 or open_runs else None
    if kind == "queue":
        if Queue.of(home).entries():
            return ("queue", "work")
        if missing := {0, 1} - {run.config()["seed"] for run in runs}:
            return ("run", *NET, "--quiet", "--queue", "--seed", str(min(missing)))
    elif not runs:
        return ("run", *NET, "--quiet", *(("--seeds", "0-1", "--jobs", "1") if kind == "seeds" else ()))
    return ("resume", open_runs[0].id, "--quiet") if open_runs else None


def one_kill(kind: str, home: Path, rng: random.Random, seconds: float) -> int:
    command = next_command(kind, home)
    if command is None:
        return 0
    child = begin(home, *command)
    child.join(rng.uniform(0, seconds))
    if not child.is_alive():
        return 0
    family = [child.pid or 0]
    if rng.random() < 0.5:
        family += [process.pid for process in psutil.Process(child.pid).children(recursive=True)]
        if kind == "queue":  # whose jobs are processes of their own
            family += [owner.pid for run in Store(home).runs() if (owner := run.owner()) is not None]
    for pid in family:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.join()
    until(lambda: kind == "queue" or not any(run.is_alive() for run in Store(home).runs()))  # workers end by themselves
    return 1


def go_on_to_the_end(kind: str, home: Path) -> None:
    for _ in range(20):
        until(lambda: not Queue.of(home).is_alive())
        until(lambda: not any(run.is_alive() for run in Store(home).runs()))
        command = next_command("run" if kind == "interface" else kind, home)
        if command is None:
            return
        child = begin(home, *command)
        child.join(300)
        assert child.exitcode == 0, f"{command}: exit {child.exitcode}: {Path(f'{home}.said').read_text()[-500:]}"
    raise AssertionError("it never comes to an end")


def in_the_interface(home: Path, rng: random.Random, seconds: float) -> int:
    State(form=FORM).save(home / "state.json")
    app = TerminalApp(home, (100, 30))
    try:
        app.wait_for("Ready")
        app.press("ctrl+r")
        app.wait_for(lambda _: Store(home).runs())
        app.read_for(rng.uniform(0, seconds))
        for key in rng.choices(["1", "2", "3", "4", "t"], k=rng.randrange(4)):
            app.press(key)
        number = rng.choice([signal.SIGKILL, signal.SIGHUP])
        os.kill(app.process.pid, number)
        if number == signal.SIGHUP:  # it trains on, and then ends
            app.process.wait()
            assert isinstance(Store(home).runs()[0].view().end, RunFinished), "SIGHUP has ended the training"
        return 1
    finally:
        app.close()


def until(met: Callable[[], object], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def pairs(words: list[str]) -> Iterator[tuple[str, int]]:
    for kind, count in zip(words[::2], words[1::2], strict=True):
        yield kind, int(count)


def main() -> int:
    lost, counts = 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        lives = Lives(Path(folder))
        for kind, wanted in pairs(sys.argv[1:] or list(USUAL)):
            began, number = time.monotonic(), 0
            lives.learn(kind)
            while counts[kind] < wanted:
                number += 1
                try:
                    kills, rng = min(KILLS, wanted - counts[kind]), random.Random(f"{SEED} {number}")
                    counts[kind] += lives.live(kind, kills, rng)
                except Exception:  # noqa: BLE001  # the other lives shall be tried
                    lost += 1
                    print(f"{kind}, life {number}:", traceback.format_exc(), flush=True)
                print(f"{kind}: {counts[kind]} kills in {number} lives", end="\r", file=sys.stderr, flush=True)
            seconds = time.monotonic() - began
            print(f"{kind}: {counts[kind]} kills in {number} lives, {seconds:.0f} s", flush=True)
    print(f"{sum(counts.values())} kills, {lost} lives were not what they should be")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
