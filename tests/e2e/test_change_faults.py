"""Short changes, killed at every call by which they change a file: of names, tags, notes, settings and the line.

Each has happened or not, nothing else is lost, and it works when it is made again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_faults import KilledAt, tree

from core.config import TrainConfig
from experiments.queue.line import Queue
from experiments.runs.folder import Meta, Run
from experiments.runs.store import Store
from experiments.settings import load_settings, write_setting

CONFIG = TrainConfig.checked({"arch": "fc10"})


@dataclass(frozen=True)
class Home:
    """Runs `a`, `b` and `c`, each in line, `a` with tags and a note; and a file of settings."""

    path: Path

    @property
    def settings(self) -> Path:
        return self.path / "settings.toml"

    @property
    def line(self) -> Queue:
        return Queue.of(self.path)

    def run(self, name: str) -> Run:
        return next(run for run in Store(self.path).runs() if run.meta().name == name)

    def in_line(self) -> str:
        """The names of the runs in line, in order."""
        return "".join(run.meta().name for entry in self.line.entries() for run in self.line.runs(entry))

    def entry(self, name: str) -> str:
        run_id = self.run(name).id
        return next(entry.id for entry in self.line.entries() if run_id in entry.runs)

    def drop(self, name: str) -> None:
        """Drop a run, by what is left of it: its entry, or its folder."""
        found = [run for run in Store(self.path).runs() if run.meta().name == name]
        for run in found:
            if any(run.id in entry.runs for entry in self.line.entries()):
                self.line.drop(self.entry(name))
            else:
                run.release()
                Store(self.path).remove(run)


def made(path: Path) -> Home:
    home = Home(path)
    for name in "abc":
        run = Store(path).create(CONFIG, Meta(name), {})
        home.line.add([run], "test")
        run.release()
    home.run("a").change_meta(tags=("old",), note="Of old.")
    home.settings.write_text('# mine\ntheme = "nord"\npalette = "tol"\n')
    return home


@dataclass(frozen=True)
class Change:
    """What is done, what may be read of it before, and what afterwards; `among` has what may be read in between."""

    make: Callable[[Home], object]
    read: Callable[[Home], object]
    before: object
    after: object
    among: tuple[object, ...] = ()


def meta(home: Home) -> Meta:
    (found,) = [run.meta() for run in Store(home.path).runs() if run.meta().name not in ("b", "c")]
    return found


def theme(home: Home) -> str:
    return load_settings(path=home.settings, environ={}).values.theme


def runs_in_line(home: Home) -> tuple[str, str]:
    return home.in_line(), "".join(sorted(run.meta().name for run in Store(home.path).runs()))


OLD = Meta("a", ("old",), note="Of old.")
CHANGES: Mapping[str, Change] = {
    "name and tags": Change(
        lambda home: next(run for run in Store(home.path).runs() if run.meta().name not in ("b", "c")).change_meta(
            name="new", tags=("one", "two")
        ),
        meta,
        OLD,
        Meta("new", ("one", "two"), note="Of old."),
    ),
    "a note": Change(lambda home: home.run("a").change_meta(note="New."), meta, OLD, Meta("a", ("old",), note="New.")),
    "a setting": Change(lambda home: write_setting(home.settings, "theme", "dracula"), theme, "nord", "dracula"),
    "a setting taken out": Change(lambda home: write_setting(home.settings, "theme", None), theme, "nord", ""),
    "a place in line": Change(
        lambda home: home.line.move(home.entry("c"), 1), Home.in_line, "abc", "cab", among=("acb",)
    ),
    "put in line": Change(lambda home: home.line.add([home.run("b")], "test"), Home.in_line, "abc", "abcb"),
    "dropped": Change(lambda home: home.drop("b"), runs_in_line, ("abc", "abc"), ("ac", "ac"), among=(("ac", "abc"),)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_is_killed_anywhere_has_happened_or_not(tmp_path, name):
    change = CHANGES[name]
    untouched = "c" if name == "dropped" else "bc"
    at, kills, seen = 0, 0, set()
    while True:
        at += 1
        home = made(tmp_path / str(at))
        others = {run: tree(home.run(run).folder) for run in untouched}
        killed = make_in_child(home, change, at)
        found = change.read(home)
        assert found in (change.before, change.after, *change.among), f"at call {at}"
        seen.add(found)
        if found != change.after:
            change.make(home)
        assert change.read(home) == change.after, f"at call {at}"
        assert {run: tree(home.run(run).folder) for run in untouched} == others
        assert 'palette = "tol"' in home.settings.read_text()
        assert "# mine" in home.settings.read_text()
        if not killed:
            break
        kills += 1
    assert kills >= 4
    assert {change.before, change.after} <= seen


def make_in_child(home: Home, change: Change, at: int) -> bool:
    """Make a change in a process that is killed at its n-th call; whether it was."""
    child = os.fork()
    if child == 0:
        try:
            with KilledAt(at):
                change.make(home)
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0
