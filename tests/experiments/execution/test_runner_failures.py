"""Runs that go wrong: what is expected ends as failed with a hint, what is a defect is raised, and nothing is lost."""

import resource
import subprocess
from contextlib import contextmanager, suppress

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from core.errors import DataError, InvalidValue, OverBudget, StorageError, TrainingFailed
from core.events import EpochFinished, RunFailed, RunFinished
from experiments.execution.grouped_runs import train_group
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.runs.eventlog import EventReader, EventWriter
from experiments.runs.folder import Meta, RunSpec
from experiments.runs.row import Status


@pytest.fixture
def runner(locations):
    return Runner(locations)


@contextmanager
def files_no_larger_than(size: int):
    """What a write meets on a full disk: it stops at so many bytes, and the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(folder) -> None:
    """Leave no free byte on the folder's disk."""
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass


def test_a_defect_is_recorded_and_raised(runner, tiny):
    def defect(*_):
        raise RuntimeError("two\nlines")

    events = runner.run(tiny.changed(epochs=20, engine="eager"))
    next(entry for entry in events if isinstance(entry.event, EpochFinished))
    with register_module_forward_hook(defect), pytest.raises(RuntimeError, match="two\nlines"):
        list(events)
    view = runner.store.find("latest").view()
    assert len(view.epochs) == 1
    assert isinstance(view.end, RunFailed)
    assert (view.end.epoch, view.end.error) == (2, "RuntimeError: two lines")
    assert "defect" in view.end.hint


def test_a_loss_that_is_not_finite_is_a_failed_run_with_a_hint(runner, tiny):
    entries = list(runner.run(tiny.changed(lr=100.0, epochs=20, arch="c8n c8n c8n c8n fc64 fc10", budget=False)))
    end = entries[-1].event
    assert isinstance(end, RunFailed)
    assert "not finite" in end.error
    assert "lower lr" in end.hint
    assert runner.store.find("latest").status() is Status.FAILED


@pytest.fixture
def user_module(tmp_path):
    """A module file whose class counts its training batches and, at the third, does what it is told."""

    def write(what: str) -> str:
        path = tmp_path / "mine.py"
        path.write_text(
            "import sys, torch\n"
            "class Net(torch.nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.linear, self.batches = torch.nn.Linear(784, 10), 0\n"
            "    def forward(self, x):\n"
            "        self.batches += self.training\n"
            "        if self.batches == 3:\n"
            f"            {what}\n"
            "        return self.linear(x.flatten(1))\n"
        )
        return f"{path}:Net"

    return write


@pytest.mark.parametrize(
    "what", ["raise ValueError('batch three')", "x = x.view(3, 5)", "x = None", "import nothing_x"]
)
def test_what_a_users_module_raises_while_training_fails_the_run_and_is_named(runner, tiny, user_module, what):
    entries = list(runner.run(tiny.changed(arch=user_module(what))))
    assert [entry.event.epoch for entry in entries if isinstance(entry.event, EpochFinished)] == [1]
    end = entries[-1].event
    assert isinstance(end, RunFailed)
    assert end.epoch == 2
    assert "mine.py:Net raised" in end.error
    assert runner.store.find("latest").view().end == end


def test_a_users_module_that_leaves_while_training_fails_the_run(runner, tiny, user_module):
    """sys.exit in a forward pass is an error in that code, not a wish of whoever started the run."""
    entries = list(runner.run(tiny.changed(arch=user_module("sys.exit(0)"))))
    assert isinstance(entries[-1].event, RunFailed)
    assert runner.store.find("latest").status() is Status.FAILED


def test_a_log_that_cannot_grow_keeps_whole_lines_only(tmp_path, script):
    path = tmp_path / "events.jsonl"
    with EventWriter(path, "20260102-030405-abcd") as log:
        log.append(script.started())
        with files_no_larger_than(path.stat().st_size + 500):
            with pytest.raises(StorageError, match=r"events\.jsonl: cannot be written") as caught:
                [log.append(script.epoch(epoch)) for epoch in range(1, 9)]
            assert "free some space" in caught.value.hint
            lines = path.read_bytes()
            assert lines.endswith(b"\n")
        entries = list(EventReader(path).poll())
        assert len(entries) == lines.count(b"\n") < 9
        log.append(script.finished())  # once there is space again
        assert len(list(EventReader(path).poll())) == len(entries) + 1


def test_a_log_that_fills_up_ends_the_run_as_failed_with_what_was_logged_whole(runner, tiny):
    events = runner.run(tiny.changed(epochs=60, budget=False))
    entries = [next(events)]
    with files_no_larger_than(24_000):  # above the weights and checkpoints
        entries += list(events)
    end = entries[-1].event
    assert isinstance(end, RunFailed)
    assert "cannot be written" in end.error
    assert "free some space" in end.hint
    run = runner.store.find("latest")
    assert run.log.read_bytes().endswith(b"\n")
    assert list(EventReader(run.log).poll()) == [entry for entry in entries if entry.time]
    assert isinstance(run.view().epochs[-1], EpochFinished)


def test_weights_that_cannot_be_stored_end_the_run_as_failed(runner, tiny):
    """The file of the weights is the first that reaches the limit."""
    events = runner.run(tiny.changed(arch="c16 c16 gap fc10"))
    entries = [next(events)]
    with files_no_larger_than(8000):
        entries += list(events)
    end = entries[-1].event
    assert isinstance(end, RunFailed)
    assert "cannot be written" in end.error
    assert "defect" not in end.hint
    run = runner.store.find("latest")
    assert run.view().end == end
    assert not run.best_weights.exists()


def test_a_disk_that_fills_up_while_training_still_takes_the_end_of_the_run(locations, tiny, small_disk):
    runner = Runner(Locations(small_disk / "home", locations.data, locations.cache))
    events = runner.run(tiny.changed(epochs=20))
    entries = [next(events), next(events)]
    fill(small_disk)
    entries += list(events)
    end = entries[-1].event
    assert isinstance(end, RunFailed)
    assert "cannot be written" in end.error
    run = runner.store.find("latest")
    assert run.status() is Status.FAILED
    assert list(EventReader(run.log).poll()) == entries


def test_a_disk_that_stays_full_leaves_a_failed_run_with_the_reason_to_whoever_looks_and_it_goes_on_later(runner, tiny):
    events = runner.run(tiny.changed(epochs=60, budget=False))
    next(events)
    run = runner.store.find("latest")
    assert [status for _, status in runner.store.rows()] == [Status.RUNNING]
    with files_no_larger_than(24_000):  # no line of the log fits, whatever is given up for it
        *_, last = events
    assert not last.time, "it is not in the log"
    ((row, status),) = runner.store.rows()
    assert (row.ended, status) == ("failed", Status.FAILED)
    assert run.view().end == last.event
    assert "cannot be written" in last.event.error
    again = runner.resume(run)
    next(again)
    assert run.status() is Status.RUNNING
    assert isinstance(list(again)[-1].event, RunFinished)
    assert run.status() is Status.FINISHED
    assert not run.reserve.exists()


def test_a_cache_that_cannot_be_written_costs_no_run(locations, tiny, tmp_path, small_disk):
    for cache in (tmp_path / "file" / "cache", small_disk / "cache"):
        (tmp_path / "file").write_text("")
        runner = Runner(Locations(locations.home, locations.data, cache))
        assert isinstance(list(runner.run(tiny))[-1].event, RunFinished)
        assert not list(cache.glob("*"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"arch": "c64 c64 gap fc10"}, OverBudget),
        ({"arch": "c8 c8"}, InvalidValue),
        ({"arch": "none.py:Net"}, InvalidValue),
        ({"device": "cuda:7"}, InvalidValue),
        ({"val_split": 256}, InvalidValue),
        ({"dataset": "kmnist"}, DataError),
    ],
)
def test_what_cannot_be_started_leaves_no_run_behind(runner, tiny, monkeypatch, changes, error):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(error) as caught:
        list(runner.run(tiny.changed(**changes)))
    assert caught.value.hint
    assert runner.store.runs() == []


def test_a_device_that_is_full_before_the_first_step_fails_the_run_and_says_so(runner, tiny, monkeypatch):
    def fill_up(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    run = runner.create(tiny, Meta())
    run.release()
    monkeypatch.setattr("core.training.loop.check_precision", fill_up)
    group = [RunSpec(tiny.changed(seed=seed)) for seed in range(2)]
    for entries in (runner.run(tiny), train_group(runner, group), runner.resume(run)):
        with pytest.raises(TrainingFailed, match="out of memory on cpu") as caught:
            list(entries)
        assert caught.value.hint == f"use a smaller batch size than {tiny.batch_size}"
    assert runner.store.runs() == [run]
    assert run.status() is Status.FAILED
    assert run.view().end.error.startswith("out of memory on cpu")
