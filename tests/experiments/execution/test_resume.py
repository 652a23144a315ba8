"""Going on with a run: when it may, when not, and who may do it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import replace

import pytest
from safetensors.torch import load_file

from core.engines.engine import EagerEngine
from core.engines.native.library import kernels_obstacle
from core.errors import DataError, InvalidValue, RunError, Stopped
from core.events import CheckpointSaved, EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped
from core.storage.checkpoint import Checkpoint, load_checkpoint, previous, save_checkpoint
from core.storage.tensors import weights_sha256
from experiments.execution.grouped_runs import train_group
from experiments.execution.runner import Runner
from experiments.execution.supervision import Supervision
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Meta, RunSpec
from experiments.runs.owner import Owner
from experiments.runs.row import Status

MODULE = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
"""


@pytest.fixture
def runner(locations) -> Runner:
    return Runner(locations)


def after(calls: int, reason: str = "enough"):
    """A `ShouldStop` that gives its reason from so manyth question on."""
    left = iter(range(calls))
    return lambda: "" if next(left, None) is not None else reason


def train(runner: Runner, config, **options):
    """Train to whatever end; returns the run."""
    entries = list(runner.run(config, **options))
    return runner.store.run(entries[-1].run_id)


def events(run) -> list[object]:
    return [entry.event for entry in EventReader(run.log).poll()]


def weights(run) -> str:
    return run.view().end.weights_sha256


def test_a_stopped_run_goes_on_in_its_own_folder_to_the_weights_of_one_never_stopped(runner, locations, tiny):
    whole = train(runner, tiny)
    stopped = train(Runner(locations, after(5)), tiny)
    assert stopped.status() is Status.STOPPED
    assert isinstance(events(stopped)[-2], CheckpointSaved)
    entries = list(runner.resume(stopped))
    assert isinstance(entries[0].event, RunStarted)
    assert {entry.run_id for entry in entries} == {stopped.id}
    assert stopped.status() is Status.FINISHED
    assert weights(stopped) == weights(whole)
    assert [e.epoch for e in events(stopped) if isinstance(e, EpochFinished)] == [1, 2]
    for one, other in ((stopped.final_weights, whole.final_weights), (stopped.best_weights, whole.best_weights)):
        assert weights_sha256(load_file(one)) == weights_sha256(load_file(other))


def test_a_run_without_a_checkpoint_starts_over(runner, tiny):
    whole = train(runner, tiny)
    fresh = runner.create(tiny, whole.meta())
    list(runner.resume(fresh))
    assert weights(fresh) == weights(whole)


def test_the_environment_of_a_run_is_that_of_its_first_step(runner, locations, tiny):
    elsewhere = {"host": "another"}
    fresh = runner.create(tiny, Meta())
    fresh.set_environment(elsewhere)
    list(Runner(locations, after(5)).resume(fresh))
    assert fresh.environment()["host"] == socket.gethostname()
    fresh.set_environment(elsewhere)
    list(runner.resume(fresh))
    assert fresh.status() is Status.FINISHED
    assert fresh.environment() == elsewhere


def test_a_run_cannot_be_trained_twice_at_once(runner, tiny):
    entries = runner.run(tiny)
    run = runner.store.run(next(entries).run_id)
    log = run.log.read_bytes()
    with pytest.raises(InvalidValue, match="being trained by another process"):
        next(runner.resume(run))
    assert run.log.read_bytes() == log
    assert [type(entry.event) for entry in entries][-1] is RunFinished


def test_a_run_whose_process_was_killed_goes_on(runner, locations, tiny):
    """Its owner.json names a process that is gone, and the lock of its log is free, until this process takes it."""
    run = train(Runner(locations, after(3)), tiny)
    with subprocess.Popen(["sleep", "60"]) as process:
        owner = Owner.of(process.pid)
        process.kill()
    run.hand_over(owner)
    list(runner.resume(run))
    assert run.status() is Status.FINISHED


def test_a_run_of_a_living_process_elsewhere_is_left_alone(runner, locations, tiny):
    run = train(Runner(locations, after(3)), tiny)
    run.hand_over(replace(Owner.this_process(), host="another-host"))
    with pytest.raises(InvalidValue, match="is running"):
        next(runner.resume(run))
    assert run.is_owned_elsewhere()


def test_a_users_module_is_run_again_only_when_it_is_named_again(runner, locations, tiny, tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    config = tiny.changed(arch="net.py:Net")
    whole, stopped = train(runner, config), train(Runner(locations, after(3)), config)
    monkeypatch.chdir("/")
    with pytest.raises(InvalidValue, match="module of your own") as caught:
        next(runner.resume(stopped))
    assert f"arch {tmp_path / 'net.py'}:Net" in caught.value.hint
    list(runner.resume(stopped, arch=f"{tmp_path / 'net.py'}:Net"))
    assert weights(stopped) == weights(whole)


def test_another_network_cannot_be_put_into_a_run(runner, locations, tiny):
    run = train(Runner(locations, after(3)), tiny)
    with pytest.raises(InvalidValue, match="the run's network is"):
        next(runner.resume(run, arch="conv5"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"arch": 1}', '{"lrr": 0.1}'])
def test_a_damaged_config_is_refused_and_left_as_it_is(runner, locations, tiny, content):
    run = train(Runner(locations, after(3)), tiny)
    (run.folder / "config.json").write_text(content)
    with pytest.raises(RunError, match="damaged"):
        next(runner.resume(run))
    assert (run.folder / "config.json").read_text() == content


def test_when_no_checkpoint_is_whole_the_run_says_so_and_stays(runner, locations, tiny):
    run = train(Runner(locations, after(3)), tiny)
    run.checkpoint.write_bytes(b"damage")
    with pytest.raises(RunError, match="damaged"):
        next(runner.resume(run))
    assert isinstance(run.view().end, RunFailed)
    assert run.checkpoint.read_bytes() == b"damage"


def test_data_that_is_gone_is_recorded_as_the_runs_failure(runner, tiny):
    run = runner.create(tiny.changed(dataset="fashion"), train(runner, tiny).meta())
    with pytest.raises(DataError):
        next(runner.resume(run))
    assert isinstance(run.view().end, RunFailed)
    assert run.status() is Status.FAILED


@pytest.mark.parametrize(("stopped_after", "hint"), [(0, "use engine auto"), (5, "on a machine that has")])
def test_a_run_that_this_machine_cannot_go_on_with_says_where_it_can(
    runner, locations, tiny, monkeypatch, stopped_after, hint
):
    """One that has not begun may begin otherwise."""
    monkeypatch.setattr("core.engines.choose._obstacle", lambda *_: "")
    tiny = tiny.changed(engine="graph")
    if stopped_after:
        monkeypatch.setattr("core.training.loop.make_engine", lambda *_, **__: EagerEngine())
        run = train(Runner(locations, after(stopped_after)), tiny)
    else:
        run = runner.create(tiny, Meta())
    monkeypatch.undo()
    with pytest.raises(InvalidValue, match="engine = graph: needs a CUDA device") as refusal:
        list(runner.resume(run))
    assert hint in refusal.value.hint
    assert run.view().end.hint == refusal.value.hint


def test_a_stop_during_the_start_is_recorded(locations, tiny):
    runner = Runner(locations, lambda: "SIGTERM")
    run = runner.create(tiny, train(Runner(locations), tiny).meta())
    with pytest.raises(Stopped):
        next(runner.resume(run))
    assert run.view().end == RunStopped(epoch=0, reason="SIGTERM")


def test_a_request_to_stop_is_heard_by_the_process_that_trains(runner, tiny, monkeypatch):
    monkeypatch.setattr("experiments.execution.supervision.LOOK_INTERVAL", 0.0)
    entries = runner.run(tiny)
    run = runner.store.run(next(entries).run_id)
    run.ask_to_stop()
    assert [entry.event for entry in entries][-1] == RunStopped(epoch=1, reason="stop")
    list(runner.resume(run))  # which forgets the request
    assert run.status() is Status.FINISHED


def test_the_heart_beats_while_a_run_is_trained(runner, tiny, monkeypatch):
    run = runner.create(tiny, train(runner, tiny).meta())
    owner = run.folder / "owner.json"
    os.utime(owner, (1, 1))
    supervision = Supervision(run, lambda: "")
    assert supervision() == ""
    assert owner.stat().st_mtime > 1


def test_a_run_that_is_over_belongs_to_nobody(runner, locations, tiny):
    for run in (train(runner, tiny), train(Runner(locations, after(3)), tiny)):
        assert not run.is_alive()
        assert not (run.folder / "owner.json").exists()
        assert not (run.folder / "reserve").exists()


def test_a_wish_to_stop_right_after_detaching_is_not_lost(runner, tiny):
    run = runner.create(tiny, train(runner, tiny).meta())  # owned by this process, as if it had been handed over
    run.ask_to_stop()
    with pytest.raises(Stopped):
        list(runner.resume(run))
    assert run.view().end == RunStopped(epoch=0, reason="stop")


def test_a_wish_to_stop_from_an_earlier_life_is_forgotten(runner, locations, tiny):
    run = train(Runner(locations, after(3)), tiny)
    run.ask_to_stop()
    list(runner.resume(run))
    assert run.status() is Status.FINISHED


@pytest.mark.parametrize("state", [{"epoch": 10**9}, {"epoch": -1}, {"step": -5}, {"step": 10**30}, {"accuracies": []}])
def test_a_checkpoint_that_lies_outside_the_run_is_refused(runner, locations, tiny, state):
    run = train(Runner(locations, after(5)), tiny)
    checkpoint = load_checkpoint(run.checkpoint)
    save_checkpoint(Checkpoint(checkpoint.tensors, {**checkpoint.state, **state}), run.checkpoint)
    previous(run.checkpoint).unlink(missing_ok=True)  # which would be taken instead
    with pytest.raises(RunError, match=r"does not fit|damaged"):
        next(runner.resume(run))


@pytest.mark.parametrize("name", ["events.jsonl", "config.json", "owner.json"])
def test_a_pipe_in_the_place_of_a_file_is_damage_and_not_waited_for(runner, locations, tiny, name):
    run = train(Runner(locations, after(5)), tiny)
    (run.folder / name).unlink(missing_ok=True)
    os.mkfifo(run.folder / name)
    assert [row.run_id for row, _ in runner.store.rows()] == [run.id]
    if name != "owner.json":
        with pytest.raises(RunError, match=r"damaged|cannot be read"):
            next(runner.resume(run))


def test_an_owner_with_impossible_numbers_is_nobody(runner, locations, tiny):
    run = train(Runner(locations, after(5)), tiny)
    (run.folder / "owner.json").write_text(f'{{"host": "vm", "pid": 1, "started": 1{"0" * 400}}}')
    assert run.status() is Status.STOPPED


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processors")
def test_a_run_whose_sums_depend_on_them_goes_on_with_as_many_threads_as_it_began_with(locations, tiny):
    import torch

    tiny = tiny.changed(engine="eager")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        stopped = train(Runner(locations, after(3)), tiny)
        torch.set_num_threads(2)
        entries = list(Runner(locations).resume(stopped))
        assert entries[0].event.device.startswith("cpu (1 thread")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processors")
@pytest.mark.parametrize("grouped", [False, True])
def test_and_so_does_one_that_was_killed_before_it_had_a_checkpoint(locations, tiny, tmp_path, grouped):
    import torch

    runner, before = Runner(locations), torch.get_num_threads()
    config = tiny.changed(seed=1, engine="eager")
    try:
        torch.set_num_threads(1)
        entries = train_group(runner, [RunSpec(config)]) if grouped else runner.run(config)
        run = runner.store.run(next(entries).run_id)
        killed = tmp_path / "killed"
        shutil.copytree(locations.home, killed)
        entries.close()
        there = Runner(replace(locations, home=killed))
        left = there.store.run(run.id)
        left.disown()  # its process is gone
        torch.set_num_threads(2)
        entries = list(there.resume(left))
        assert entries[0].event.device.startswith("cpu (1 thread")
        assert left.environment()["threads"] == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(bool(kernels_obstacle()), reason="needs the kernels in C")
@pytest.mark.parametrize("epochs", [0, 1])
def test_a_native_run_goes_on_to_the_same_weights_on_as_many_threads_as_there_are(locations, tiny, tmp_path, epochs):
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        entries = Runner(locations).run(tiny)
        run = Runner(locations).store.run(next(entries).run_id)
        while len(run.view().epochs) < epochs:
            next(entries)
        killed = tmp_path / "killed"
        shutil.copytree(locations.home, killed)
        list(entries)
        left = Runner(replace(locations, home=killed)).store.run(run.id)
        left.disown()  # its process is gone
        torch.set_num_threads(3)
        entries = list(Runner(replace(locations, home=killed)).resume(left))
        assert entries[0].event.device == "cpu (3 threads)"
        assert left.view().end.weights_sha256 == run.view().end.weights_sha256
    finally:
        torch.set_num_threads(before)
