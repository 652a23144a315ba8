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
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import fault_worker

from core.events import RunFinished, RunStopped
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.folder import Meta, Run
from experiments.runs.row import Status
from experiments.runs.store import Store
from experiments.verification.verify import verify

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
    """A home, and a folder for what commands write elsewhere."""

    home: Path
    out: Path

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
    """A command, what must be so after it was killed, and what after it was then called again."""

    arguments: tuple[str, ...]
    killed: Check
    again: Check
    repeated: tuple[str, ...] | None = None
    codes: tuple[int, ...] = (0,)
    prepare: Callable[[Place], None] = lambda place: None


def attempt(homes: Homes, operation: Operation, kill_at: int) -> tuple[bool, int]:
    """Kill the command at that call, 0 for none, and look at what is left, and at what it does when called again.

    Returns whether it was killed, and how many calls it has made where it was not.
    """
    before, place = homes.new(), homes.new()
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
    child = context.Process(
        target=_command,
        args=(["--home", str(place.home), *arguments], place.out, os.environ.get("XDG_CACHE_HOME"), kill_at, count),
    )
    child.start()
    child.join(120)
    assert child.exitcode is not None, f"{arguments} hangs"
    return child.exitcode, int(count.read_text())


def _command(arguments: list[str], out: Path, cache: str | None, kill_at: int, count: Path) -> None:
    os.chdir(out)
    if cache is not None:  # as the server was told at its start, which may be before this was set
        os.environ["XDG_CACHE_HOME"] = cache
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


def _run(place: Place, name: str) -> Run | None:
    return next((run for run in place.store.runs() if run.meta().name == name), None)


def _untouched_or_gone(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "done")
    assert run is None or place.tree(run) == before.tree(_run(before, "done"))


def _gone(homes: Homes, place: Place, before: Place) -> None:
    assert _run(place, "done") is None
    assert len(place.store.runs()) == 2


def _can_go_on(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "half")
    assert run.status() in (Status.STOPPED, Status.CRASHED, Status.FINISHED)
    assert run.config()
    if run.status() is Status.FINISHED:
        _ended(homes, place, before)


def _ended(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "half")
    assert isinstance(run.view().end, RunFinished)
    assert run.view().end.weights_sha256 == homes.weights
    assert verify(run, homes.locations(place.home)).agrees


def _old_or_longer(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "done")
    assert run.status() in (Status.FINISHED, Status.CRASHED)
    run.disown()
    assert verify(run, homes.locations(place.home)).agrees


def _longer(homes: Homes, place: Place, before: Place) -> None:
    run = _run(place, "done")
    if run.view().epochs_done < 4 or not isinstance(run.view().end, RunFinished):  # it had begun to be extended
        code, _ = run_command(homes, place, ("resume", "done", "--quiet"), 0)
        assert code == 0
    assert run.view().end.weights_sha256 == homes.longer
    assert verify(run, homes.locations(place.home)).agrees


def _at_most_one_new(homes: Homes, place: Place, before: Place) -> None:
    new = {run.id for run in place.store.runs()} - {run.id for run in before.store.runs()}
    assert len(new) <= 1
    for name in new:
        assert place.store.run(name).config()


def _file(name: str) -> tuple[Check, Check]:
    """A file that is there whole or as it was before, and then whole."""

    def killed(homes: Homes, place: Place, before: Place) -> None:
        path = place.out / name
        if path.exists() and path.read_bytes() != b"old":
            assert tree(place.out).get(name) == _expected(homes, name)

    def again(homes: Homes, place: Place, before: Place) -> None:
        assert tree(place.out).get(name) == _expected(homes, name)

    return killed, again


_known: dict[str, str] = {}


def _expected(homes: Homes, name: str) -> str:
    if name not in _known:
        place = homes.new()
        operation = next(one for one in OPERATIONS.values() if name in one.arguments)
        assert run_command(homes, place, operation.arguments, 0)[0] == 0
        _known[name] = tree(place.out)[name]
    return _known[name]


def _events_folder(homes: Homes, place: Place, before: Place) -> None:
    folder = place.out / "events"
    if folder.exists():  # the name of the file in it has time, host and process
        (events,) = (path for path in folder.rglob("*") if path.is_file())
        assert events.stat().st_size > 1_000


def _same_list(homes: Homes, place: Place, before: Place) -> None:
    rows, expected = place.store.rows(), before.store.rows()
    assert [(row.run_id, row.best_test_accuracy, status) for row, status in rows] == [
        (row.run_id, row.best_test_accuracy, status) for row, status in expected
    ]


def _old_file(name: str) -> Callable[[Place], None]:
    return lambda place: (place.out / name).write_bytes(b"old") and None


def _without_index(place: Place) -> None:
    for path in place.home.glob("index.sqlite*"):
        path.unlink()


def _damaged_index(place: Place) -> None:
    (place.home / "index.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))


FEW = ("--limit-train", "64", "--limit-test", "50", "--epochs", "1", "--engine", "eager")
NEW = ("run", "--arch", "fc10", "--dataset", "mnist-5k", *FEW)
OPERATIONS: Mapping[str, Operation] = {
    "resume": Operation(("resume", "half", "--quiet"), _can_go_on, _ended, codes=(0, 2)),
    "extend": Operation(("resume", "done", "--epochs", "4", "--quiet"), _old_or_longer, _longer, codes=(0, 2)),
    "run": Operation((*NEW, "--quiet", "--name", "new"), _at_most_one_new, lambda *_: None),
    "rm": Operation(("rm", "done", "--yes"), _untouched_or_gone, _gone, codes=(0, 5)),
    "bundle": Operation(
        ("bundle", "done", "-o", "run.zip", "--force"), *_file("run.zip"), prepare=_old_file("run.zip")
    ),
    "verify a run": Operation(("verify", "done"), lambda *_: None, lambda *_: None),
    "export weights": Operation(
        ("export", "done", "-f", "safetensors", "-o", "a.safetensors", "--force"), *_file("a.safetensors")
    ),
    "export csv": Operation(
        ("export", "done", "-f", "csv", "-o", "a.csv", "--force"), *_file("a.csv"), prepare=_old_file("a.csv")
    ),
    "export tensorboard": Operation(
        ("export", "done", "-f", "tensorboard", "-o", "events"), _events_folder, _events_folder, codes=(0, 2)
    ),
    "report": Operation(("report", "done", "other", "-o", "a.html", "--force"), lambda *_: None, lambda *_: None),
    "a list without an index": Operation(("runs",), _same_list, _same_list, prepare=_without_index),
    "a list with a damaged index": Operation(("runs",), _same_list, _same_list, prepare=_damaged_index),
}
"""Every command that changes something, by what is done."""
