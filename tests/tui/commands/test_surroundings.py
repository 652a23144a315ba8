"""Surroundings that a program does not expect: no home folder, paths that are too long, few files, disks that fail."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.runs.eventlog import EventReader
from experiments.runs.row import Status
from experiments.runs.store import Store

PROGRAM = "import sys; from tui.entry import main; sys.argv[0] = 'mnist-tui'; main()"
NOBODY = """
import os, pwd

def gone(*_):
    raise KeyError("no such user")

pwd.getpwuid = pwd.getpwnam = gone
"""
TINY = [
    "--arch",
    "c4 gap fc10",
    "--dataset",
    "mnist-5k",
    "--limit-train",
    "256",
    "--limit-test",
    "100",
    "--epochs",
    "1",
]


def call(*arguments: object, before: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", before + PROGRAM, *map(str, arguments)],
        env=environment or os.environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def nobody(tmp_path) -> dict[str, str]:
    """The variables of a user without a home folder and without an entry in the list of users."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3]), "OMP_NUM_THREADS": "1"}


def test_a_user_without_a_home_folder_is_told_to_name_one_and_can_train_there(nobody, tmp_path):
    refused = call("runs", before=NOBODY, **nobody)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 2)
    assert "home = '': cannot be found out" in refused.stderr
    done = call("--home", tmp_path / "home", "run", *TINY, "--device", "cpu", before=NOBODY, **nobody)
    assert done.returncode == 0, done.stderr
    assert len(Store(tmp_path / "home").runs()) == 1
    assert not Path("~").exists()


@pytest.mark.parametrize("long", ["x" * 300, "/".join(["y" * 200] * 21)], ids=["name", "path"])
@pytest.mark.parametrize("option", ["--home", "--data-dir"])
def test_a_path_that_is_too_long_is_refused_in_words(cli, refused, tmp_path, option, long):
    options = {"--home": "at", "--data-dir": "data"}
    refused(cli("runs", **{options[option]: tmp_path / long}), 2, "is too long a path")


def test_too_few_files_that_may_be_open_are_told_in_a_line(cli, refused, monkeypatch):
    def rows(_self: Store) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(Store, "rows", rows)
    refused(cli("runs"), 1, "too many files are open")


@pytest.mark.parametrize("parts", [990, 30_000])
def test_a_name_of_thousands_of_parts_is_refused_at_once(cli, refused, tmp_path, parts):
    path = tmp_path / "x.toml"
    path.write_text(".".join(["a"] * parts) + " = 1\n")
    refused(cli("run", "--config", path), 2)


@pytest.fixture
def failing_disk(monkeypatch):
    """A disk that fails, and neither writes nor cuts off, from the first finished epoch on until the test lets it."""
    write, truncate, broken = os.write, os.ftruncate, [False]

    def failing_write(handle: int, content: bytes) -> int:
        if b'"epoch_finished"' in content:
            broken[0] = True
            write(handle, content[:20])
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return write(handle, content)

    def failing_truncate(handle: int, size: int) -> None:
        if broken[0]:
            broken[0] = False  # and is whole again
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        truncate(handle, size)

    monkeypatch.setattr(os, "write", failing_write)
    monkeypatch.setattr(os, "ftruncate", failing_truncate)


def test_a_disk_that_fails_ends_the_run_as_failed_and_is_not_said_to_be_full(train, home, failing_disk):
    answer = train("--name", "x")
    assert answer.code == 1, answer
    assert "Input/output error" in answer.err
    assert "free some space" not in answer.err
    run = Store(home).find("x")
    assert run.status() is Status.FAILED
    reader = EventReader(run.log)
    assert len(list(reader.poll())) > 1
    assert reader.damaged == 0
