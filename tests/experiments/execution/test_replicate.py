"""Runs of a group, trained as one network, in processes and in turn: the same folders, logs and results each way."""

from __future__ import annotations

import errno
import os
import signal
from threading import Thread

import pytest
import torch
from gated_module import Gate
from own_data import draw, write_npz
from safetensors.torch import load_file

from core.errors import DataError, InvalidValue, OverBudget, StorageError
from core.events import CheckpointSaved, EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped
from core.grouped.memory import SHARED_BYTES
from core.storage.checkpoint import load_checkpoint
from experiments.execution import grouped_runs
from experiments.execution.executor import Ended
from experiments.execution.fleet import MAX_DEATHS
from experiments.execution.local_executor import LocalExecutor
from experiments.execution.replicate import IN_TURN, TrainingPlan, plan_runs, replicate
from experiments.execution.runner import Runner
from experiments.execution.together.recorded import ResumedRun
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Meta, Run, RunSpec
from experiments.runs.row import Status
from experiments.runs.seeds import seed_specs

GROUPED = TrainingPlan("grouped", 3)
PROCESSES = TrainingPlan("processes", 2)


@pytest.fixture
def runner(locations) -> Runner:
    return Runner(locations)


@pytest.fixture
def planned(tiny):
    return seed_specs(tiny, range(3), Meta("try", (), "g20260102-030405-abcd"))


def changed(planned, **changes):
    return [RunSpec(spec.config.changed(**changes), spec.meta) for spec in planned]


def train(runner, planned, plan):
    """The runs in the order of their seeds, and what each was said to have done."""
    entries = list(replicate(runner, planned, plan))
    told: dict[str, list[object]] = {}
    for entry in entries:
        told.setdefault(entry.run_id, []).append(entry.event)
    runs = sorted((runner.store.run(run_id) for run_id in told), key=lambda run: run.config()["seed"])
    return runs, [told[run.id] for run in runs]


def logged(run) -> list[object]:
    return [entry.event for entry in EventReader(run.log).poll()]


@pytest.fixture(scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("plan", [GROUPED, PROCESSES], ids=lambda plan: plan.way)
def test_each_run_is_kept_as_if_it_had_been_trained_alone(runner, planned, plan):
    runs, told = train(runner, planned, plan)
    alone, _ = train(runner, planned, IN_TURN)
    assert [run.meta() for run in runs] == [spec.meta for spec in planned]
    for run, other, events in zip(runs, alone, told, strict=True):
        assert logged(run) == events
        assert isinstance(events[0], RunStarted)
        assert isinstance(events[-1], RunFinished)
        assert events[0].config == other.view().started.config
        assert run.config() == other.config()
        assert [event.epoch for event in events if isinstance(event, EpochFinished)] == [1, 2]
        assert any(isinstance(event, CheckpointSaved) for event in events)
        assert run.status() is Status.FINISHED
        assert {path.name for path in run.folder.iterdir()} >= {path.name for path in other.folder.iterdir()} - {
            "checkpoint-previous.safetensors"
        }
        for path in (run.final_weights, run.best_weights):
            mine, theirs = load_file(path), load_file(other.folder / path.name)
            assert mine.keys() == theirs.keys()
            for name, tensor in mine.items():
                torch.testing.assert_close(tensor, theirs[name], rtol=1e-3, atol=1e-4, msg=name)
        predictions = run.load_predictions(), other.load_predictions()
        assert (predictions[0].final != predictions[1].final).mean() < 0.02
        if plan is PROCESSES:  # with as many threads
            assert events[-1].weights_sha256 == other.view().end.weights_sha256


@pytest.mark.parametrize("plan", [GROUPED, PROCESSES], ids=lambda plan: plan.way)
def test_a_reason_to_stop_stops_all_runs_with_checkpoints_and_each_goes_on_by_itself(locations, planned, tiny, plan):
    longer = changed(planned, epochs=20, batch_size=16)  # than being told takes
    reason: list[str] = []
    told = replicate(Runner(locations, lambda: "".join(reason)), longer, plan)
    ends = []
    for entry in told:
        if isinstance(entry.event, EpochFinished) and not reason:
            reason.append("SIGINT")
        if isinstance(entry.event, RunStopped):
            ends.append(entry)
    runner = Runner(locations)
    assert ends
    assert {entry.event.reason for entry in ends} == {"SIGINT"}
    runs = runner.store.runs()
    assert len(runs) == len(ends) == 3  # one that waited, too
    assert all(run.status() is Status.STOPPED for run in runs)
    begun = [run for run in runs if run.view().started is not None]  # a process may have come too late for a first step
    assert begun
    assert all(load_checkpoint(run.checkpoint) is not None for run in begun)
    assert isinstance(list(runner.resume(begun[0]))[-1].event, RunFinished)


def test_a_run_that_somebody_stops_leaves_the_others_alone(runner, planned, monkeypatch):
    told = replicate(runner, changed(planned, epochs=6, batch_size=32), GROUPED)
    monkeypatch.setattr("experiments.execution.supervision.LOOK_INTERVAL", 0.0)
    ends, stopped = {}, ""
    for entry in told:
        if not stopped:
            stopped = entry.run_id
            runner.store.run(stopped).ask_to_stop()
        if isinstance(entry.event, RunStopped | RunFinished):
            ends[entry.run_id] = type(entry.event)
    assert ends.pop(stopped) is RunStopped
    assert list(ends.values()) == [RunFinished, RunFinished]


def test_after_a_run_in_a_process_that_somebody_stops_none_begins(runner, planned):
    longer = changed(planned, epochs=20, batch_size=16)  # than being told takes
    ends = []
    for entry in replicate(runner, longer, TrainingPlan("processes", 1)):
        if isinstance(entry.event, RunStarted):
            runner.store.run(entry.run_id).ask_to_stop()
        if isinstance(entry.event, RunStopped | RunFinished):
            ends.append(type(entry.event))
    assert ends == [RunStopped] * 3
    assert [bool(run.view().started) for run in runner.store.runs()].count(True) == 1


def test_a_run_that_cannot_be_written_any_more_fails_and_the_others_go_on(runner, planned, monkeypatch):
    save = Run.save_checkpoint

    def save_unless_full(run, trainer):
        if trainer.config.seed == 1:
            raise run.unwritable(OSError(28, "No space left on device"), run.checkpoint)
        return save(run, trainer)

    monkeypatch.setattr(Run, "save_checkpoint", save_unless_full)
    runs, told = train(runner, planned, GROUPED)
    assert [type(events[-1]) for events in told] == [RunFinished, RunFailed, RunFinished]
    assert [run.status() for run in runs] == [Status.FINISHED, Status.FAILED, Status.FINISHED]


def test_taking_no_more_events_stops_a_group_with_checkpoints(runner, planned):
    told = replicate(runner, planned, GROUPED)
    for entry in told:
        if isinstance(entry.event, EpochFinished):
            break
    told.close()
    for run in runner.store.runs():
        assert run.view().end == RunStopped(epoch=1, reason="abandoned")
        assert load_checkpoint(run.checkpoint) is not None
        assert not run.is_alive()


def test_checkpoints_of_a_group_are_saved_by_time_and_at_the_end(runner, planned, monkeypatch):
    def saved(interval: float) -> list[int]:
        monkeypatch.setattr(grouped_runs, "SAVE_INTERVAL", interval)
        _, told = train(runner, planned, GROUPED)
        return [event.epoch for event in told[0] if isinstance(event, CheckpointSaved)]

    assert saved(1e9) == [2]
    assert saved(0.0) == [1, 2]


def test_more_runs_than_fit_are_trained_in_several_groups(runner, planned):
    _, told = train(runner, planned, TrainingPlan("grouped", 2))
    assert [type(events[-1]) for events in told] == 3 * [RunFinished]


@pytest.mark.parametrize("plan", [GROUPED, PROCESSES, IN_TURN], ids=lambda plan: plan.way)
def test_what_is_wrong_is_raised_before_any_run_is_made(runner, planned, plan, monkeypatch):
    over = [RunSpec(spec.config.model_copy(update={"max_params": 10}), spec.meta) for spec in planned]
    with pytest.raises(OverBudget):
        list(replicate(runner, over, plan))
    monkeypatch.setattr("core.data.loader.Loader.load", lambda *_: (_ for _ in ()).throw(DataError("no data")))
    with pytest.raises(DataError):
        list(replicate(runner, planned, plan))
    assert runner.store.runs() == []


def test_on_a_cpu_there_is_a_process_a_core_unless_there_is_one_run_or_one_job(runner, planned, monkeypatch):
    monkeypatch.setattr("experiments.execution.local_executor._cores", lambda: 8)
    plan = plan_runs(runner, planned)
    assert (plan.way, plan.size) == ("processes", 3)
    assert plan_runs(runner, planned, jobs=2).size == 2
    assert plan_runs(runner, planned, jobs=1) == plan_runs(runner, planned[:1]) == IN_TURN
    assert plan_runs(runner, planned * 5).words == "15 runs, 8 at a time, of one thread each"


@pytest.fixture
def gpu(monkeypatch):
    """Lets plans believe in a GPU of that many bytes, on which a copy takes a million; SHARED_BYTES are set aside."""

    def has(free: int) -> None:
        monkeypatch.setattr("core.device.device.pick_device", lambda _: torch.device("cuda", 0))
        monkeypatch.setattr("core.device.device.describe_device", lambda device: f"{device} (fast)")
        monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (free, 2 * free))
        monkeypatch.setattr("core.grouped.memory.bytes_per_copy", lambda *_: 1_000_000)

    return has


def test_on_a_gpu_runs_are_trained_in_as_few_networks_of_equal_size_as_fit(runner, planned, gpu):
    planned *= 4
    gpu(SHARED_BYTES + 100_000_000)
    plan = plan_runs(runner, planned)
    assert plan == TrainingPlan(
        "grouped", 12, "12 runs as one network; 90 would fit into the 2.2 GB free on cuda:0 (fast)"
    )
    plan = plan_runs(runner, planned, jobs=5)
    assert (plan.size, plan.words.partition(";")[0]) == (4, "12 runs as 3 networks of up to 4 copies")
    assert plan_runs(runner, planned, jobs=1) == IN_TURN
    gpu(SHARED_BYTES + 9_000_000)
    assert (plan_runs(runner, planned).way, plan_runs(runner, planned).size) == ("grouped", 6)
    gpu(SHARED_BYTES + 2_000_000)
    reason = "no two would fit into the 2.1 GB free on cuda:0 (fast)"
    assert plan_runs(runner, planned) == TrainingPlan("in turn", 1, f"12 runs, one after the other, because {reason}")


def test_on_a_gpu_runs_that_cannot_be_one_network_say_why(runner, planned, gpu):
    gpu(SHARED_BYTES + 100_000_000)
    plan = plan_runs(runner, changed(planned, dropout=0.1))
    assert plan.way == "in turn"
    assert plan.words.startswith("3 runs, one after the other, because ")
    assert "dropout" in plan.words


def test_a_run_whose_process_is_killed_goes_on_in_another(runner, planned, tmp_path):
    gate = Gate(tmp_path, free_steps=3)  # in the middle of the second epoch
    killed, told = "", {}
    for entry in replicate(runner, changed(planned[:2], arch=gate.arch), PROCESSES):
        told.setdefault(entry.run_id, []).append(entry.event)
        if isinstance(entry.event, EpochFinished) and not killed:
            killed = entry.run_id
            os.kill(runner.store.run(killed).owner().pid, signal.SIGKILL)
            gate.open()
    assert {run_id: type(events[-1]) for run_id, events in told.items()} == dict.fromkeys(told, RunFinished)
    starts = {run_id: sum(isinstance(event, RunStarted) for event in events) for run_id, events in told.items()}
    assert starts.pop(killed) == 2
    assert list(starts.values()) == [1]


def test_a_run_whose_processes_are_killed_again_and_again_fails_alone(runner, planned, tmp_path):
    gate = Gate(tmp_path, free_steps=0)
    (gated,), other = changed(planned[:1], arch=gate.arch), planned[1]
    told = {}
    for entry in replicate(runner, [gated, other], PROCESSES):
        told.setdefault(entry.run_id, []).append(entry.event)
        if isinstance(entry.event, RunStarted) and entry.event.spec == gate.arch:
            os.kill(runner.store.run(entry.run_id).owner().pid, signal.SIGKILL)
    ends = {events[0].spec == gate.arch: events for events in told.values()}
    assert sum(isinstance(event, RunStarted) for event in ends[True]) == MAX_DEATHS
    assert isinstance(ends[True][-1], RunFailed)
    assert "SIGKILL" in ends[True][-1].error
    assert isinstance(ends[False][-1], RunFinished)


def test_who_stops_does_not_wait_for_ever_for_a_process_that_hears_nothing(locations, planned, monkeypatch):
    class Deaf(LocalExecutor):
        def stop(self, reason: str) -> None:
            pass

    monkeypatch.setattr("experiments.execution.replicate.LocalExecutor", Deaf)
    monkeypatch.setattr("experiments.execution.fleet.STOP_PATIENCE", 0.0)
    reason: list[str] = []
    longer = changed(planned, epochs=10_000, budget=False)
    for entry in replicate(Runner(locations, lambda: "".join(reason)), longer, PROCESSES):
        if isinstance(entry.event, EpochFinished) and not reason:
            reason.append("SIGINT")
    assert not any(run.is_alive() for run in Runner(locations).store.runs())


def test_a_group_whose_folders_cannot_all_be_made_leaves_none(runner, planned, monkeypatch):
    write = Run.write

    def write_two(run, config, *rest):
        if config.seed == 2:
            raise OSError(errno.ENOSPC, "full")
        write(run, config, *rest)

    monkeypatch.setattr(Run, "write", write_two)
    with pytest.raises(StorageError):
        list(replicate(runner, planned, GROUPED))
    assert runner.store.runs() == []


def test_a_thread_trains_runs_to_go_on_with_beside_new_ones(runner, planned, tmp_path):
    stopped = runner.create(planned[0].config, planned[0].meta)
    stopped.ask_to_stop()  # as the run that shall go on was stopped
    with stopped.open_log() as log:
        log.append(RunStopped(epoch=0, reason="stop"))
    stopped.release()
    tasks = [ResumedRun(stopped), planned[1]]
    entries: list[object] = []

    def train_all() -> None:
        entries.extend(replicate(runner, tasks, PROCESSES))

    thread = Thread(target=train_all)
    thread.start()
    thread.join()
    events = [entry.event for entry in entries if entry.run_id == stopped.id]
    assert isinstance(events[0], RunStarted)  # what was in the log before is not told again
    ends = [entry.event for entry in entries if isinstance(entry.event, RunFinished)]
    alone = [list(runner.run(spec.config))[-1].event for spec in planned[:2]]
    assert {end.weights_sha256 for end in ends} == {end.weights_sha256 for end in alone}


class Dying:
    """An executor whose workers die before they begin."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self._runs: list[Run] = []

    def has_room(self) -> bool:
        return not self._runs

    def start(self, run: Run) -> None:
        self.started.append(run.id)
        self._runs.append(run)

    def wait(self, seconds: float) -> list[Ended]:
        return [Ended(self._runs.pop().id, worker_died="killed")] if self._runs else []

    def close(self) -> None:
        self._runs = []


def test_a_run_to_go_on_with_whose_processes_die_before_it_does_is_no_stopped_one(runner, planned, monkeypatch):
    stopped = runner.create(planned[0].config, planned[0].meta)
    with stopped.open_log() as log:
        log.append(RunStopped(epoch=0, reason="stop"))
    stopped.release()
    executor = Dying()
    monkeypatch.setattr("experiments.execution.replicate.LocalExecutor", lambda *_: executor)
    entries = list(replicate(runner, [ResumedRun(stopped)], PROCESSES))
    assert executor.started == [stopped.id] * MAX_DEATHS
    assert [(type(entry.event), entry.event.error) for entry in entries] == [(RunFailed, "killed")]
    assert stopped.status() is Status.FAILED


def test_a_run_to_go_on_with_that_cannot_is_refused_before_anything_trains(runner, planned):
    done = runner.store.run(list(runner.run(planned[0].config))[-1].run_id)
    with pytest.raises(InvalidValue, match="is finished"):
        list(replicate(runner, [planned[1], ResumedRun(done)], PROCESSES))
    assert runner.store.runs() == [done]


def test_on_a_gpu_runs_to_go_on_with_are_trained_one_by_one(runner, planned, gpu):
    gpu(SHARED_BYTES + 100_000_000)
    made = [runner.create(spec.config, spec.meta) for spec in planned[:2]]
    plan = plan_runs(runner, [ResumedRun(run) for run in made])
    assert (plan.way, plan.words.partition(", because ")[0]) == ("in turn", "2 runs, one after the other")


def test_seeds_are_trained_on_the_data_that_the_first_was(runner, tiny, tmp_path):
    def write(seed: int) -> str:
        images, labels = draw(120, size=28, classes=10, seed=seed)
        return str(write_npz(tmp_path / "letters.npz", x=images, y=labels))

    config = tiny.changed(dataset=write(0), limit_train=None, limit_test=None, epochs=1)
    told = replicate(runner, seed_specs(config, range(2), Meta("try", (), "g20260102-030405-abcd")), IN_TURN)
    next(entry for entry in told if isinstance(entry.event, RunFinished))
    write(1)
    with pytest.raises(DataError, match=r"letters.npz: changed"):
        list(told)
    assert sorted(run.status() for run in runner.store.runs()) == [Status.FAILED, Status.FINISHED]
