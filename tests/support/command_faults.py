"""Commands that are killed at the n-th of the calls by which they change files, and what must be so afterwards.

What is counted are calls of functions in C, before each of which a process can be killed: writes into files, their
flushing and closing, new names, deletions, statements for SQLite. Those of Python's own machinery are left out.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import fault_worker

from core.events import RunStopped
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Meta, Run
from experiments.runs.store import Store

CALLS = frozenset(
    {
        *("open", "write", "writelines", "writestr", "flush", "close", "fsync", "ftruncate", "truncate"),
        *("rename", "replace", "unlink", "remove", "rmdir", "mkdir", "utime", "link", "symlink"),
        *("execute", "executemany", "commit", "serialize_file"),
    }
)
ROOT = str(Path(__file__).parents[2])
PLACES = (f"{ROOT}/core/", f"{ROOT}/experiments/", f"{ROOT}/tui/")
LIBRARIES = ("pathlib.py", "shutil.py", "tempfile.py", "zipfile.py", "sqlite3", "tensorboard/")
KILLED = -signal.SIGKILL

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(
    ["torch", "safetensors.torch", "tui.cli", "tui.commands.lifecycle", "tui.commands.runs", "tui.commands.export"]
)

Tree = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """A home, a folder for what commands write elsewhere, and the cache, where a command has one of its own."""

    home: Path
    out: Path
    cache: Path | None = None

    @property
    def store(self) -> Store:
        return Store(self.home)

    def tree(self, run: Run) -> Tree:
        """The SHA-256 of each file of a run by name, but for the word of who works on it."""
        return tree(run.folder)


def tree(folder: Path) -> Tree:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "owner.json":
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


class Homes:
    """Makes the home that every command is tried in: runs `done` and `other`, finished, and `half`, stopped."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache = folder, cache
        self._count = itertools.count()
        self._template = folder / "template"
        runner = Runner(self.locations(self._template))
        config = fault_worker.CONFIG.changed(epochs=3, limit_train=200, schedule="constant", engine="eager")
        for name in ("done", "other"):
            list(runner.run(config.changed(seed=len(name)), Meta(name)))
        asked = iter(range(9))
        stopping = Runner(runner.locations, lambda: "" if next(asked, None) is not None else "enough")
        assert isinstance(list(stopping.run(config, Meta("half")))[-1].event, RunStopped)
        whole = Runner(self.locations(folder / "whole"))
        self.config = config
        self.weights = list(whole.run(config))[-1].event.weights_sha256
        self.longer = list(whole.run(config.changed(epochs=4, seed=4)))[-1].event.weights_sha256

    def locations(self, home: Path) -> Locations:
        return Locations(home, self.folder / "data", self.cache)

    def new(self) -> Place:
        base = self.folder / f"place-{next(self._count)}"
        shutil.copytree(self._template, base / "home")
        (base / "out").mkdir()
        return Place(base / "home", base / "out")


Check = Callable[[Homes, Place, Place], None]
"""Asserts what must be so in a place, given one that no command has touched."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A command, what must be so after it was killed, and what after it was then called again; `compiles` lets it find
    an empty cache, and a compiler that does not optimise, which takes seconds."""

    arguments: tuple[str, ...]
    killed: Check
    again: Check
    repeated: tuple[str, ...] | None = None
    codes: tuple[int, ...] = (0,)
    prepare: Callable[[Place], None] = lambda place: None
    compiles: bool = False


def attempt(homes: Homes, operation: Operation, kill_at: int) -> tuple[bool, int]:
    """Kill the command at that call, 0 for none, and look at what is left, and at what it does when called again.

    Returns whether it was killed, and how many calls it has made where it was not.
    """
    before, place = homes.new(), homes.new()
    if operation.compiles:
        place = replace(place, cache=place.out.parent / "cache")
    for one in (before, place):
        operation.prepare(one)
    code, calls = run_command(homes, place, operation.arguments, kill_at)
    killed = code == KILLED
    assert killed or code == 0, f"exit {code}: {(place.out.parent / 'said').read_text()[-500:]}"
    operation.killed(homes, place, before)
    check_others(place, before, *operation.arguments)
    if killed:
        code, _ = run_command(homes, place, operation.repeated or operation.arguments, 0)
        assert code in operation.codes, f"again: exit {code}: {(place.out.parent / 'said').read_text()[-500:]}"
    operation.again(homes, place, before)
    check_others(place, before, *operation.arguments)
    for one in (before, place):
        shutil.rmtree(one.home.parent)
    return killed, calls


def check_others(place: Place, before: Place, *words: str) -> None:
    """Check that the runs that a command does not name are as they were, and that all can be listed."""
    for run in before.store.runs():
        if run.meta().name not in words:
            assert place.tree(place.store.run(run.id)) == before.tree(run), f"{run.meta().name} has changed"
    assert len(place.store.rows()) == len(place.store.runs())


def run_command(homes: Homes, place: Place, arguments: tuple[str, ...], kill_at: int) -> tuple[int, int]:
    """Its exit code, that of its death for one that was killed, and the number of calls."""
    count = place.out.parent / "calls"
    count.write_text("0")
    environment = {name: value for name, value in os.environ.items() if name == "XDG_CACHE_HOME"}
    if place.cache is not None:
        environment = {"XDG_CACHE_HOME": str(place.cache), "CC": str(_quick_compiler(place.out.parent))}
    child = context.Process(
        target=_command, args=(["--home", str(place.home), *arguments], place.out, environment, kill_at, count)
    )
    child.start()
    child.join(120)
    assert child.exitcode is not None, f"{arguments} hangs"
    return child.exitcode, int(count.read_text())


def _quick_compiler(folder: Path) -> Path:
    path = folder / "quick-cc"
    path.write_text('#!/bin/sh\nexec cc "$@" -O0\n')
    path.chmod(0o755)
    return path


def _command(arguments: list[str], out: Path, environment: Mapping[str, str], kill_at: int, count: Path) -> None:
    os.chdir(out)
    os.environ.update(environment)  # which the server may have been told otherwise at its start
    sys.dont_write_bytecode = True
    said = os.open(out.parent / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    import torch

    torch.set_num_threads(1)
    from tui.cli import app, load_command

    sys.argv = ["mnist-tui", *arguments]
    load_command(arguments[2])  # so that no import is counted
    calls = KilledAt(kill_at)
    try:
        with calls:
            app()
    finally:
        count.write_text(str(calls.count))


class KilledAt:
    """Within the block, kills the process right before the call of that number, counted from 1; 0 for none."""

    def __init__(self, number: int) -> None:
        self.number, self.count = number, 0

    def __enter__(self) -> KilledAt:
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, function: object) -> None:
        if event != "c_call" or getattr(function, "__name__", "") not in CALLS:
            return
        if isinstance(getattr(function, "__self__", None), str | bytes):  # whose replace is no new name
            return
        name = frame.f_code.co_filename
        if name.startswith(PLACES) or any(library in name for library in LIBRARIES):
            self.count += 1
            if self.count == self.number:
                os.kill(os.getpid(), signal.SIGKILL)
