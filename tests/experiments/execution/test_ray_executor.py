"""Trials on a Ray cluster: two nodes on this machine, which share nothing with the driver but the data root."""

from __future__ import annotations

import errno
import json
import os
import sys

import pytest
from gated_module import Gate
from sweep_tools import drive, tiny_plan

from core.device.threads import kept_threads
from core.errors import InvalidValue
from core.events import EpochFinished, RunFinished, RunStarted, RunStopped, StepProgress
from experiments.execution.ray_executor import RayExecutor, require_ray
from experiments.execution.ray_worker import Order, RayWorker
from experiments.execution.runner import Runner
from experiments.execution.supervision import REQUESTED
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Meta
from experiments.runs.row import Status
from experiments.studies.driver import SweepDriver
from experiments.studies.events import TrialFinished, TrialReported, WorkerDied
from experiments.studies.folder import StudyFolder
from experiments.studies.view import prune_trial, study_view

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def cluster():
    """A head that trains nothing, and one node with room for one trial."""
    pytest.importorskip("ray")
    pytest.MonkeyPatch().setenv("OMP_NUM_THREADS", "1")
    from ray.cluster_utils import Cluster

    # Five looks in five seconds whether a node is alive: sooner than Ray's own fifteen, and patient on a busy machine.
    health = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 5}
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": health}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.first = cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def one_thread():
    """As the workers have: results depend on the number of threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def events_of(parcels):
    return [event for parcel in parcels for event in parcel.events]


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InvalidValue, match="executor = ray: needs the ray extra") as caught:
        require_ray()
    assert "mnist-tui[ray]" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("raise AttributeError('module pydantic has no attribute x')", "AttributeError: module pydantic has no"),
        ("import ray.nothing", "ModuleNotFoundError: No module named 'ray.nothing'"),
        ("", "ImportError: cannot import name 'init'"),
    ],
    ids=["raises", "lacks files", "is empty"],
)
def test_a_broken_installation_is_named(locations, tmp_path, monkeypatch, content, named):
    package = tmp_path / "packages" / "ray"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(content)
    monkeypatch.syspath_prepend(package.parent)
    for name in ["ray", *[name for name in sys.modules if name.startswith("ray.")]]:
        monkeypatch.setitem(sys.modules, name, None)  # what is there now, or nothing, is put back in the end
        del sys.modules[name]
    with pytest.raises(InvalidValue, match=f"executor = ray: cannot be imported: {named}") as caught:
        RayExecutor(locations, device="cpu")
    assert caught.value.hint == "pip install --force-reinstall 'mnist-tui[ray]'"


def test_a_cluster_that_is_not_there_is_named(locations):
    pytest.importorskip("ray")
    with pytest.raises(InvalidValue, match=r"ray_address = 127.0.0.1:1: cannot be joined"):
        RayExecutor(locations, address="127.0.0.1:1", device="cpu")


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_a_device_that_ray_cannot_give_a_trial_is_refused_before_a_cluster_is_joined(locations, device):
    pytest.importorskip("ray")
    with pytest.raises(InvalidValue, match=f"device = {device}: must be auto, cpu or cuda on Ray"):
        RayExecutor(locations, address="127.0.0.1:1", device=device)


def test_a_wish_to_stop_that_comes_before_its_run_begins_is_heard_by_that_run_alone(locations, tiny):
    worker, data = RayWorker(), locations.data
    config = tiny.model_dump()
    worker.stop("20260102-030405-0001", REQUESTED)
    other = events_of(worker.train(Order("20260102-030405-0002", config, {}, data)))
    assert isinstance(other[-1], RunFinished)
    parcels = list(worker.train(Order("20260102-030405-0001", config, {}, data)))
    assert events_of(parcels) == [RunStopped(epoch=0, reason=REQUESTED)]
    assert [parcel.error for parcel in parcels] == [""]
    again = events_of(worker.train(Order("20260102-030405-0001", config, {}, data)))
    assert isinstance(again[-1], RunFinished)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processors")
def test_a_run_that_was_killed_before_it_had_a_checkpoint_goes_on_with_the_threads_it_began_with(locations, tiny):
    worker, data = RayWorker(), locations.data
    with kept_threads():
        begun = {"env.json": json.dumps({"threads": 2}).encode()}
        first = next(iter(worker.train(Order("20260102-030405-0001", tiny.model_dump(), begun, data))))
        assert first.events[0].device == "cpu (2 threads)"
        assert first.environment["threads"] == 2
        assert "command_line" not in first.environment, "that of a process which Ray has started says nothing"


def test_a_trial_whose_node_dies_goes_on_from_its_checkpoint_on_another(cluster, locations, one_thread, tmp_path):
    gate = Gate(tmp_path, free_steps=5)  # two an epoch
    plan = tiny_plan({"arch": gate.arch, "epochs": "4", "lr": "0.1", "momentum": "0.8:0.9"}, trials=1)
    executor = RayExecutor(locations, address=cluster.address, device="cpu")
    folder = StudyFolder.of(locations.home, "s")
    folder.write_plan(plan)
    killed, deaths, finished = False, [], None
    for event in SweepDriver(Runner(locations), folder, plan, executor).run(lambda: ""):
        match event:
            case TrialReported(epoch=2) if not killed:
                run = Runner(locations).store.run(event.run_id)
                assert (run.environment()["threads"], run.environment()["command_line"]) == (1, sys.argv)
                assert run.status() is Status.RUNNING, "events arrive while the trial is trained"
                killed = True
                cluster.add_node(num_cpus=1)
                cluster.remove_node(cluster.first, allow_graceful=False)
                gate.open()
            case WorkerDied():
                deaths.append(event)
            case TrialFinished():
                finished = event
    assert [death.retried for death in deaths] == [True]
    assert finished.state == "finished"
    assert run.status() is Status.FINISHED
    events = [entry.event for entry in EventReader(run.log).poll()]
    starts = [index for index, event in enumerate(events) if isinstance(event, RunStarted)]
    assert len(starts) == 2
    again = [event.epoch for event in events[starts[1] :] if isinstance(event, EpochFinished)]
    assert again in ([2, 3, 4], [3, 4]), "it went on from the checkpoint that had come last"
    assert any(isinstance(event, StepProgress) for event in events)

    undisturbed = Runner(locations)
    entries = list(undisturbed.run(plan.base.changed(**finished.params)))
    assert run.view().end.weights_sha256 == entries[-1].event.weights_sha256
    same = undisturbed.store.run(entries[-1].run_id)
    kept = {path.name for path in same.folder.glob("*.safetensors")}
    assert {path.name for path in run.folder.glob("*.safetensors")} == kept


def test_a_trial_is_pruned_and_a_sweep_stopped_wherever_they_run(cluster, locations, monkeypatch, tmp_path):
    gate = Gate(tmp_path, free_steps=2, seconds=1.0)  # 38 steps to hear of it in
    plan = tiny_plan({"arch": gate.arch, "epochs": "20"}, trials=2)
    executor = RayExecutor(locations, address=cluster.address, device="cpu")
    folder = StudyFolder.of(locations.home, "s")
    folder.write_plan(plan)
    reasons = []
    for event in SweepDriver(Runner(locations), folder, plan, executor).run(lambda: "".join(reasons)):
        if isinstance(event, TrialReported) and event.epoch == 1:
            if event.trial == 0:
                prune_trial(locations.home, "s", 0)
            else:
                reasons.append("SIGINT")
    pruned, stopped = study_view(locations.home, "s").trials
    assert (pruned.state, stopped.state) == ("pruned", "running")
    store = Runner(locations).store
    ends = [store.run(trial.run_id).view().end for trial in (pruned, stopped)]
    assert all(isinstance(end, RunStopped) for end in ends)
    assert [end.reason for end in ends] == ["stop", "SIGINT"]
    assert store.run(stopped.run_id).checkpoint.exists()

    gate.open()
    executor = RayExecutor(locations, address=cluster.address, device="cpu")
    waits = []
    with monkeypatch.context() as patch:
        patch.setattr("time.sleep", waits.append)
        assert executor.wait(7.0) == []
    assert waits == [7.0], "it waits where no run is under way, too"
    drive(locations, plan, executor)
    assert [trial.state for trial in study_view(locations.home, "s").trials] == ["pruned", "finished"]
    starts = [e for e in EventReader(store.run(stopped.run_id).log).poll() if isinstance(e.event, RunStarted)]
    assert len(starts) == 2


def test_a_run_that_waits_for_a_place_gets_that_of_an_actor_without_work(cluster, locations, tiny, monkeypatch):
    monkeypatch.setattr("experiments.execution.ray_executor.PLACEMENT_PATIENCE", 0.5)
    runner = Runner(locations)
    executor = RayExecutor(locations, address=cluster.address, device="cpu")
    places = int(executor._ray.cluster_resources()["CPU"])
    runs = [runner.create(tiny.changed(seed=seed), Meta()) for seed in range(places + 1)]
    for run in runs:  # one more than there are places, as if a node had gone
        executor.start(run)
    ended = []
    try:
        while len(ended) < len(runs):
            ended += executor.wait(0.1)
    finally:
        executor.close()
    assert {end.run_id for end in ended} == {run.id for run in runs}
    assert [run.status() for run in runs] == [Status.FINISHED] * len(runs)


def test_a_trial_whose_files_cannot_be_written_fails_alone(cluster, locations, monkeypatch):
    from experiments.execution import ray_executor

    write, full = ray_executor.replacing, [OSError(errno.ENOSPC, "No space left on device")]

    def replacing(*arguments, **options):
        if full:
            raise full.pop()
        return write(*arguments, **options)

    monkeypatch.setattr(ray_executor, "replacing", replacing)
    executor = RayExecutor(locations, address=cluster.address, device="cpu")
    drive(locations, tiny_plan(trials=2), executor)
    lost, kept = study_view(locations.home, "s").trials
    assert (lost.state, kept.state) == ("failed", "finished")
    assert "No space left on device" in lost.reason
