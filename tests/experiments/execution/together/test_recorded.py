"""Runs that belong together are there from the start, and stay, whatever becomes of those that train them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from disturbed_runs import Killed, Kills
from own_files import CODE, write_own

from core.errors import DataError, Stopped
from core.events import EpochFinished, RunFinished, RunStarted, RunStopped
from experiments.execution.apart import train_on
from experiments.execution.replicate import IN_TURN, TrainingPlan, replicate
from experiments.execution.runner import Runner
from experiments.execution.supervision import KeepingPlaces
from experiments.execution.together.recorded import Recorded
from experiments.runs.folder import Meta
from experiments.runs.own_code import kept_code, own_arch
from experiments.runs.row import Status
from experiments.runs.seeds import seed_specs

WAYS = [IN_TURN, TrainingPlan("processes", 1), TrainingPlan("grouped", 1)]


@pytest.fixture
def planned(tiny):
    return seed_specs(tiny, range(3), Meta("try", (), "g20260102-030405-abcd"))


def by_seed(runner: Runner) -> list[object]:
    return sorted(runner.store.runs(), key=lambda run: run.config()["seed"])


@pytest.mark.parametrize("plan", WAYS, ids=lambda plan: plan.way)
def test_all_are_there_when_the_first_begins_and_those_that_wait_can_be_gone_on_with(locations, tiny, plan):
    runner = Runner(locations)
    planned = seed_specs(tiny.changed(epochs=20, batch_size=16), range(3), Meta("try", (), "g20260102-030405-abcd"))
    told = replicate(runner, planned, plan)
    first = next(told)
    runs = by_seed(runner)
    assert [run.meta().name for run in runs] == ["try-0", "try-1", "try-2"]
    assert [run.status() for run in runs] == [Status.RUNNING] * 3
    told.close()
    assert [run.status() for run in runs] == [Status.STOPPED] * 3
    assert first.run_id == runs[0].id
    end = list(runner.resume(runs[2]))[-1].event
    assert isinstance(end, RunFinished)
    alone = list(runner.run(planned[2].config))[-1].event
    assert end.weights_sha256 == alone.weights_sha256


@pytest.mark.parametrize("plan", WAYS, ids=lambda plan: plan.way)
def test_a_group_that_is_stopped_while_it_is_prepared_keeps_all_of_its_runs(locations, planned, plan):
    runner = Runner(locations, lambda: "SIGINT")
    told = list(replicate(runner, planned, plan))
    assert [type(entry.event) for entry in told] == [RunStopped] * 3
    assert {entry.event.reason for entry in told} == {"SIGINT"}
    assert [run.status() for run in by_seed(runner)] == [Status.STOPPED] * 3


def test_and_so_does_one_that_is_stopped_before_it_is_known_how_it_is_to_be_trained(locations, planned):
    runner = Runner(locations)
    with pytest.raises(Stopped) as stopped, Recorded(runner, planned):
        raise Stopped("SIGTERM")
    assert [run.view().end for run in by_seed(runner)] == [RunStopped(epoch=0, reason="SIGTERM")] * 3
    assert "g20260102-030405-abcd" in str(stopped.value.advice.to_record())


def test_where_none_can_begin_none_is_left(locations, planned):
    runner = Runner(locations)
    with pytest.raises(DataError), Recorded(runner, planned):
        raise DataError("no data")
    assert runner.store.runs() == []


@pytest.mark.parametrize("plan", [IN_TURN, TrainingPlan("processes", 1)], ids=lambda plan: plan.way)
def test_one_that_somebody_stops_while_it_waits_is_left_out_and_the_others_are_trained(locations, tiny, plan):
    runner, ends = Runner(locations), {}
    for entry in replicate(runner, seed_specs(tiny, range(4), Meta("try", (), "g20260102-030405-abcd")), plan):
        if isinstance(entry.event, RunStarted) and not ends:
            by_seed(runner)[1].ask_to_stop()
        if isinstance(entry.event, RunFinished | RunStopped):
            ends[runner.store.run(entry.run_id).config()["seed"]] = type(entry.event)
    assert ends == {0: RunFinished, 1: RunStopped, 2: RunFinished, 3: RunFinished}


def test_after_one_in_training_is_stopped_those_that_wait_are_stopped_too(locations, planned):
    runner, ends = Runner(locations), []
    longer = seed_specs(planned[0].config.changed(epochs=20, batch_size=16), range(3), planned[0].meta)
    for entry in replicate(runner, longer, IN_TURN):
        if isinstance(entry.event, EpochFinished):
            runner.store.run(entry.run_id).ask_to_stop()
        if isinstance(entry.event, RunStopped | RunFinished):
            ends.append(entry.event)
    assert [type(end) for end in ends] == [RunStopped] * 3
    assert {end.reason for end in ends} == {"stop"}


def test_a_run_that_waits_ends_at_once_when_it_is_asked_to(new_run):
    waiting = [new_run(), new_run()]
    places = KeepingPlaces(waiting, lambda: "")
    waiting[1].ask_to_stop()
    places()
    assert [run.status() for run in waiting] == [Status.RUNNING, Status.STOPPED]
    assert not places.begin(waiting[1])
    assert places.begin(waiting[0])
    assert list(places.stopped) == [waiting[1].id]


def test_seeds_of_an_own_module_are_there_while_it_is_examined_and_stay_when_that_is_stopped(locations, tiny, tmp_path):
    module = tmp_path / "net.py"
    module.write_text("while True: pass")
    runner = Runner(locations, lambda: "stop" if len(runner.store.runs()) == 2 else "")
    planned = seed_specs(tiny.changed(arch=f"{module}:Net"), range(2), Meta("try", (), "g20260102-030405-abcd"))
    with pytest.raises(Stopped), Recorded(runner, planned):
        pytest.fail("it was not stopped")
    runs = by_seed(runner)
    assert [run.view().end for run in runs] == [RunStopped(epoch=0, reason="stop")] * 2
    write_own(tmp_path)
    end = list(train_on(Runner(locations), runs[0], arch=own_arch(runs[0])))[-1].event
    assert isinstance(end, RunFinished)
    assert kept_code(runs[0]).contents == {"net.py": CODE.encode()}


@pytest.mark.parametrize("where", [0.3, 0.5, 0.7, 0.9])
def test_a_group_that_is_killed_as_it_begins_has_all_of_its_seeds_or_none(locations, planned, tmp_path, where):
    kills = Kills()
    elsewhere = replace(locations, home=tmp_path / "elsewhere")
    with kills.at(0, elsewhere.home, tmp_path), Recorded(Runner(elsewhere), planned):
        count = kills.count
    killed = kills.at(int(where * count), locations.home, tmp_path / "left")
    with pytest.raises(Killed), killed, Recorded(Runner(locations), planned):
        pytest.fail("it was not killed")
    assert len(Runner(replace(locations, home=tmp_path / "left")).store.runs()) in (0, 3)
