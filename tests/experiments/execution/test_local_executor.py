"""Worker processes of this machine: what they train, what is heard of their deaths, and who stops them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys

import psutil
import pytest
from waiting import wait_until

from core.engines.native.library import kernels_obstacle
from core.errors import InvalidValue, StorageError
from core.events import EpochFinished, RunFinished, RunStarted, RunStopped
from experiments.execution import local_executor
from experiments.execution.executor import Ended, Slot
from experiments.execution.local_executor import LocalExecutor, local_slots, most_threads_each
from experiments.execution.runner import Runner
from experiments.execution.supervision import ABANDONED
from experiments.locations import Locations
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Meta
from experiments.runs.row import Status


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory, cache_home) -> Locations:
    folder = tmp_path_factory.mktemp("executors")
    return Locations(folder / "home", folder / "data", cache_home / "mnist-tui" / "decoded")


@pytest.fixture(scope="module")
def executor(shared_home):
    """Two workers, which keep torch imported from one test to the next."""
    executor = LocalExecutor(shared_home, [Slot(0), Slot(1)])
    yield executor
    executor.close()


@pytest.fixture
def new(shared_home, tiny):
    """Make a run that waits to be trained."""
    runner = Runner(shared_home)
    return lambda **changes: runner.create(tiny.changed(**changes), Meta())


def wait_for(executor, count=1):
    ended = []
    wait_until(lambda: ended.extend(executor.wait(0.1)) or len(ended) >= count)
    return ended


def pipe_is_closed(connection):
    try:
        connection.send(("", ""))
    except OSError:
        return True
    return False


def wait_for_epoch(run):
    wait_until(lambda: run.view().epochs)


def test_as_many_runs_as_workers_are_trained_at_once_each_with_one_thread(executor, new):
    runs = [new(), new(seed=1)]
    for run in runs:
        assert executor.has_room()
        executor.start(run)
        assert run.status() is Status.RUNNING
    assert not executor.has_room()
    ended = wait_for(executor, 2)
    assert {end.run_id for end in ended} == {run.id for run in runs}
    assert all((end.error, end.worker_died) == ("", "") for end in ended)
    for run in runs:
        view = run.view()
        assert view.started.device == "cpu (1 thread)"
        assert isinstance(view.end, RunFinished)
    assert executor.has_room()


@pytest.mark.skipif(bool(kernels_obstacle()), reason="needs the kernels in C")
def test_a_run_that_begins_in_a_worker_is_trained_as_it_would_be_here(executor, new, shared_home, tiny):
    changes = {"arch": "c4 d0.2 c8s2 gap fc10", "engine": "native"}  # whose dropout earlier versions left to torch
    there = new(**changes)
    executor.start(there)
    wait_for(executor)
    *_, finished = Runner(shared_home).run(tiny.changed(**changes))
    here = Runner(shared_home).store.run(finished.run_id)
    assert there.view().end.weights_sha256 == finished.event.weights_sha256
    orders = [{name: run.environment().get(name) for name in ("sums", "segments")} for run in (there, here)]
    assert orders == [{"sums": "batch", "segments": "whole"}] * 2


def test_a_worker_that_is_killed_is_reported_and_its_run_goes_on_to_the_same_weights(executor, new):
    whole, killed = new(epochs=20, limit_train=1024), new(epochs=20, limit_train=1024)
    executor.start(whole)
    executor.start(killed)
    wait_for_epoch(killed)
    owner = killed.folder / "owner.json"
    pid = int(owner.read_text().split('"pid": ')[1].split(",")[0])
    assert os.getpid() in [process.pid for process in psutil.Process(pid).parents()]
    os.kill(pid, signal.SIGKILL)
    ended = {end.run_id: end for end in wait_for(executor, 2)}
    assert "SIGKILL" in ended[killed.id].worker_died
    assert killed.view().end is None
    executor.start(killed)
    wait_for(executor)
    assert killed.view().end.weights_sha256 == whole.view().end.weights_sha256
    starts = [entry.event for entry in EventReader(killed.log).poll() if isinstance(entry.event, RunStarted)]
    assert len(starts) == 2


def owner_of(run):
    return psutil.Process(run.owner().pid)


def test_a_worker_that_is_told_to_leave_saves_its_run_and_is_given_no_other(executor, new):
    run = new(epochs=10_000, budget=False)
    executor.start(run)
    wait_for_epoch(run)
    process = owner_of(run)
    process.terminate()
    [end] = wait_for(executor)
    assert end.worker_died
    assert not process.is_running()
    assert run.view().end.reason == "SIGTERM"
    assert run.checkpoint.exists()
    other = new()
    executor.start(other)
    assert wait_for(executor) == [Ended(other.id)]
    assert other.status() is Status.FINISHED


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forks on Linux alone")
def test_workers_are_forks_of_a_process_with_one_thread_that_outlives_them(shared_home, new):
    executor = LocalExecutor(shared_home, [Slot(0), Slot(1)])
    try:
        runs = [new(), new(seed=1)]
        for run in runs:
            executor.start(run)
        server, other = (owner_of(run).parent() for run in runs)
        assert server == other
        assert server.pid != os.getpid()
        assert server.num_threads() == 1
    finally:
        executor.close()
    assert server.is_running()


def test_runs_share_the_cores_and_come_to_the_weights_of_one_that_has_a_single_thread(shared_home, new, monkeypatch):
    if reason := kernels_obstacle():
        pytest.skip(f"the native engine {reason}")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("experiments.execution.local_executor._cores", lambda: 4)
    executor = LocalExecutor(shared_home, [Slot(0), Slot(1)])
    try:
        runs = [new(epochs=10_000, budget=False), new()]
        executor.start(runs[0])
        wait_for_epoch(runs[0])
        executor.start(runs[1])
        assert wait_for(executor) == [Ended(runs[1].id)]
        runs.append(new())
        executor.stop("enough")
        wait_for(executor)
        executor.start(runs[2])
        assert wait_for(executor) == [Ended(runs[2].id)]
    finally:
        executor.close()
    devices = [run.view().started.device for run in runs]
    assert devices == ["cpu (4 threads)", "cpu (2 threads)", "cpu (4 threads)"]
    second, third = (run.view().end.weights_sha256 for run in runs[1:])
    assert second == third


@pytest.mark.parametrize(("given", "most"), [("", 4), ("2", 2), ("3,1", 3), ("0", 4), ("many", 4), ("9", 9)])
def test_a_process_has_no_more_threads_than_the_user_says(monkeypatch, given, most):
    monkeypatch.setattr("experiments.execution.local_executor._cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert most_threads_each() == most


def test_a_worker_that_ends_with_nothing_to_do_is_replaced(shared_home, new):
    executor = LocalExecutor(shared_home, [Slot(0)])
    try:
        first, second = new(), new()
        executor.start(first)
        process = owner_of(first)
        wait_for(executor)
        process.terminate()
        wait_until(lambda: pipe_is_closed(executor._workers[Slot(0)].orders))  # which is before the process ends
        executor.start(second)
        assert wait_for(executor) == [Ended(second.id)]
    finally:
        executor.close()
    assert second.status() is Status.FINISHED


def test_a_worker_whose_run_cannot_be_handed_over_is_ended_with_the_others(shared_home, new):
    executor, run, before = LocalExecutor(shared_home, [Slot(0)]), new(), set(multiprocessing.active_children())
    (run.folder / "owner.json").unlink()
    (run.folder / "owner.json").mkdir()
    with pytest.raises(StorageError) as caught:
        executor.start(run)
    executor.close()
    assert set(multiprocessing.active_children()) == before, caught.value
    run.owner_file.rmdir()


def test_a_run_that_cannot_be_started_says_why(executor, new):
    run = new()
    (run.folder / "config.json").write_text("{")
    executor.start(run)
    [end] = wait_for(executor)
    assert "damaged" in end.error


def test_all_runs_are_stopped_for_the_drivers_reason_with_a_checkpoint(executor, new):
    run = new(epochs=10_000, budget=False)
    executor.start(run)
    wait_for_epoch(run)
    executor.stop("SIGINT")
    wait_for(executor)
    end = run.view().end
    assert isinstance(end, RunStopped)
    assert end.reason == "SIGINT"
    assert run.checkpoint.exists()


def test_what_one_run_was_told_is_not_heard_by_the_next(executor, new):
    executor.stop("SIGINT")
    run = new()
    executor.start(run)
    wait_for(executor)
    assert run.status() is Status.FINISHED


def test_workers_whose_driver_is_gone_stop_with_a_checkpoint(shared_home, new):
    executor = LocalExecutor(shared_home, [Slot(0)])
    run = new(epochs=10_000, budget=False)
    executor.start(run)
    wait_for_epoch(run)
    executor.close()  # the pipe closes, as when the driver is killed
    end = run.view().end
    assert isinstance(end, RunStopped)
    assert end.reason == ABANDONED
    epochs = [entry.event.epoch for entry in EventReader(run.log).poll() if isinstance(entry.event, EpochFinished)]
    assert epochs == list(range(1, len(epochs) + 1))


def gpus_of(*arguments):
    return [slot.gpu for slot in local_slots(*arguments)]


def test_without_a_gpu_there_is_a_worker_for_each_core_or_as_many_as_asked_for(monkeypatch):
    monkeypatch.setattr(local_executor, "_cores", lambda: 8)
    assert gpus_of("cpu", None, None) == [""] * 8
    assert gpus_of("cpu", 3, None) == [""] * 3
    with pytest.raises(InvalidValue, match="no GPU"):
        local_slots("cpu", None, 0.5)


def test_waiting_for_nothing_takes_as_long_as_it_was_told_and_no_longer(executor, monkeypatch):
    waits = []
    monkeypatch.setattr(local_executor, "wait", lambda connections, seconds: waits.append(seconds) or [])
    monkeypatch.setattr("time.sleep", waits.append)
    assert executor.wait(7.0) == []
    assert waits == [7.0]


def test_a_gpu_that_the_config_names_is_one_gpu_among_all_that_its_workers_see():
    assert gpus_of("cuda:1", None, None) == [""]
    assert gpus_of("cuda:1", None, 0.5) == gpus_of("cuda:1", 2, None) == [""] * 2


def test_each_gpu_is_seen_by_as_many_workers_as_shares_of_it_are_wanted(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus_of("auto", None, None) == ["0", "1"]
    assert gpus_of("cuda", None, 0.5) == ["0", "1"] * 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert gpus_of("auto", 3, None) == ["5", "7", "5"]
    with pytest.raises(InvalidValue, match="at most 1"):
        local_slots("auto", None, 2.0)
