"""A run of a user's own module goes on with the code that it was begun with, whoever trains it and whatever becomes of
the file; runs that are made together train the same code."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest
import torch
from own_files import change_own, write_own

from core.errors import InvalidValue, StorageError
from core.events import EpochFinished, RunFinished, RunStarted
from experiments.execution.ray_worker import Order, RayWorker
from experiments.execution.replicate import IN_TURN, TrainingPlan, replicate
from experiments.execution.runner import Runner
from experiments.execution.together.recorded import ResumedRun
from experiments.runs.eventlog import EventReader
from experiments.runs.folder import Meta
from experiments.runs.own_code import kept_code, own_arch
from experiments.runs.seeds import seed_specs
from experiments.runs.source import read_source, write_source
from experiments.verification.verify import verify


@pytest.fixture
def runner(locations) -> Runner:
    return Runner(locations)


@pytest.fixture
def config(tiny, tmp_path):
    return tiny.changed(arch=write_own(tmp_path / "mine"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine" / "net.py"


def after(calls: int):
    """A `ShouldStop` that gives its reason from so manyth question on."""
    left = iter(range(calls))
    return lambda: "" if next(left, None) is not None else "enough"


def train(runner, config, **options):
    return runner.store.run(list(runner.run(config, **options))[-1].run_id)


def weights(run) -> str:
    return run.view().end.weights_sha256


def notes(run) -> list[str]:
    return [entry.event.note for entry in EventReader(run.log).poll() if isinstance(entry.event, RunStarted)]


def test_a_run_keeps_what_its_network_was_loaded_from(runner, config, path):
    run = train(runner, config)
    assert read_source(run.folder).files().contents == {"net.py": path.read_bytes()}
    assert read_source(run.folder).original == path


def test_a_run_of_a_spec_keeps_none(runner, tiny):
    assert read_source(train(runner, tiny).folder) is None


def test_a_run_goes_on_to_the_same_weights_after_its_file_has_changed(runner, locations, config, path):
    whole, stopped = train(runner, config), train(Runner(locations, after(3)), config)
    change_own(path)
    list(runner.resume(stopped, arch=config.arch))
    assert weights(stopped) == weights(whole)
    assert weights(train(Runner(locations), config)) != weights(whole)
    assert notes(stopped)[-1].endswith("net.py has changed since the run was made: its own copy is used")
    assert "changed" not in notes(stopped)[0]


def test_a_run_that_was_named_by_a_path_from_its_folder_is_verified_after_it_went_on(
    runner, locations, config, path, monkeypatch
):
    monkeypatch.chdir(path.parent)
    stopped = train(Runner(locations, after(3)), config.changed(arch="net.py:Net"))
    monkeypatch.chdir("/")
    list(runner.resume(stopped, arch=config.arch))
    assert verify(stopped, locations, arch=config.arch).agrees


def test_a_run_goes_on_to_the_same_weights_after_its_file_has_gone(runner, locations, config, path):
    whole, stopped = train(runner, config), train(Runner(locations, after(3)), config)
    path.unlink()
    list(runner.resume(stopped, arch=config.arch))
    assert weights(stopped) == weights(whole)


def test_a_run_of_an_earlier_version_goes_on_with_the_file_and_says_so(runner, locations, config):
    stopped = train(Runner(locations, after(3)), config)
    (stopped.folder / "source.json").unlink()
    (stopped.folder / "source" / "net.py").unlink()
    (stopped.folder / "source").rmdir()
    list(runner.resume(stopped, arch=config.arch))
    assert isinstance(stopped.view().end, RunFinished)
    assert "kept no copy of its code" in notes(stopped)[-1]
    assert read_source(stopped.folder) is None


def test_a_changed_file_that_is_named_elsewhere_is_refused_and_the_run_is_as_it_was(
    locations, runner, config, tmp_path
):
    stopped = train(Runner(locations, after(3)), config)
    other = write_own(tmp_path / "other")
    change_own(tmp_path / "other" / "net.py")
    log = stopped.log.read_bytes()
    with pytest.raises(InvalidValue, match="is not the code that the run was made with"):
        list(runner.resume(stopped, arch=other))
    assert stopped.log.read_bytes() == log


def test_a_run_made_for_another_process_is_of_the_code_of_that_time(runner, locations, config, path):
    whole = train(runner, config)
    made = Runner(locations).create(config, Meta())
    change_own(path)
    list(Runner(locations).resume(made, arch=own_arch(made)))
    assert weights(made) == weights(whole)


def test_a_module_that_cannot_be_loaded_leaves_no_folder(runner, config, path):
    path.write_text(path.read_text() + "        raise OSError('no such disk')\n")
    with pytest.raises(InvalidValue, match="no such disk"):
        runner.create(config, Meta())
    assert runner.store.runs() == []


@pytest.mark.parametrize("plan", [IN_TURN, TrainingPlan("processes", 2)], ids=["in turn", "processes"])
def test_all_seeds_train_the_same_code_whoever_changes_it_meanwhile(runner, config, path, plan):
    planned = seed_specs(config, range(3), Meta("try", (), "g20260102-030405-abcd"))
    alone = [train(Runner(runner.locations), spec.config) for spec in planned]
    changed = False
    for entry in replicate(runner, planned, plan):
        if isinstance(entry.event, EpochFinished) and not changed:
            change_own(path)
            changed = True
    runs = [run for run in runner.store.runs() if run.meta().group_id]
    assert len({read_source(run.folder).digest for run in runs}) == 1
    by_seed = {run.config()["seed"]: weights(run) for run in runs}
    assert [by_seed[seed] for seed in range(3)] == [weights(run) for run in alone]


def test_stopped_runs_of_a_group_go_on_side_by_side_with_their_copies(runner, locations, config, path):
    wholes = [train(Runner(locations), config.changed(seed=seed)) for seed in range(2)]
    stopped = [train(Runner(locations, after(3)), config.changed(seed=seed)) for seed in range(2)]
    change_own(path)
    tasks = [ResumedRun(run, own_arch(run)) for run in stopped]
    list(replicate(runner, tasks, TrainingPlan("processes", 2)))
    assert [weights(run) for run in stopped] == [weights(run) for run in wholes]


def test_code_that_is_given_is_trained_in_place_of_the_file(runner, config, path):
    whole = train(runner, config)
    change_own(path)
    again = train(Runner(runner.locations), config, files=kept_code(whole))
    assert weights(again) == weights(whole)
    assert weights(train(Runner(runner.locations), config)) != weights(whole)


def test_a_node_of_a_cluster_needs_no_file(runner, locations, config, path):
    whole = train(runner, config)
    made = Runner(locations).create(config, Meta())
    order = Order(made.id, made.config(), {}, locations.data, kept_code(made))
    path.unlink()
    threads = torch.get_num_threads()
    try:
        ends = [event for parcel in RayWorker().train(order) for event in parcel.events]
    finally:
        torch.set_num_threads(threads)
    assert ends[-1].weights_sha256 == weights(whole)


def test_a_disk_that_is_full_when_the_code_is_copied_leaves_no_folder(runner, config, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("experiments.runs.store.write_source", full)
    with pytest.raises(StorageError, match="cannot be written"):
        list(runner.run(config))
    assert runner.store.runs() == []
    assert list((runner.locations.home / "runs").iterdir()) == []


def test_a_run_whose_copy_is_cut_short_is_not_made(runner, config, path):
    """As after `kill -9`: a folder that has not got its name is no run."""
    files = kept_code(train(runner, config))
    draft = replace(runner.store.runs()[0], folder=runner.locations.home / "runs" / ".new-abc")
    draft.folder.mkdir()
    draft.write(config, Meta(), {})
    write_source(draft.folder, files)
    assert len(runner.store.runs()) == 1
