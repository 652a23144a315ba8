"""Runs shown elsewhere as they go, and what becomes of a run when that fails: nothing."""

import shutil
import sys
from collections import defaultdict
from dataclasses import replace

import pytest

from core.errors import InvalidValue
from experiments.execution.runner import Runner
from experiments.export.tracking import Tracking
from experiments.runs.eventlog import EventReader

SERVICE = """
calls = []
def init(project, name, config): calls.append(("init", project, name, config))
def log(values, step): calls.append(("log", values, step))
def finish(): calls.append(("finish",))
"""


@pytest.fixture
def service(tmp_path, monkeypatch):
    """A package that is called trackio and has its API."""

    def install(code: str = SERVICE) -> None:
        (tmp_path / "packages").mkdir()
        (tmp_path / "packages" / "trackio.py").write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path / "packages"))
        monkeypatch.setitem(sys.modules, "trackio", None)  # so that it is taken out again after the test
        monkeypatch.delitem(sys.modules, "trackio")

    return install


@pytest.fixture
def follow(locations, tiny):
    """Train with tracking; returns the run, its entries, and what was said."""

    def train(**options: object):
        runner, said = Runner(locations), []
        tracking = Tracking(runner.store, said.append, **options)
        tracking.check()
        entries = list(tracking.follow(runner.run(tiny)))
        return runner.store.run(entries[0].run_id), entries, said

    return train


def test_a_service_gets_config_curves_and_result_on_one_axis(follow, service, tiny):
    service()
    run, entries, said = follow(log_to="trackio")
    import trackio

    (_, project, name, config), *logs, end = trackio.calls
    assert (project, name, said) == ("mnist-tui", run.id, [])
    assert config["lr"] == tiny.lr
    assert config["total_params"] == entries[0].event.total_params
    assert end == ("finish",)
    steps = [step for _, _, step in logs]
    assert steps == sorted(steps)
    by_epoch = {values["epoch"]: values for _, values, _ in logs if "epoch" in values}
    assert [by_epoch[e.epoch]["test_accuracy"] for e in run.view().epochs] == [
        e.test_accuracy for e in run.view().epochs
    ]
    assert "val_loss" not in by_epoch[1]
    assert logs[-1][1]["final_test_accuracy"] == run.view().final_test_accuracy
    assert logs[-1][2] == 4


@pytest.mark.parametrize("where", ["init", "log", "finish", "import", "exit"])
def test_a_service_that_fails_is_named_once_and_the_run_goes_on(follow, service, where):
    code = f"def {where}(*words, **named): raise OSError('no route to host')\n"
    if where in ("import", "exit"):
        code = "raise SystemExit(3)" if where == "exit" else "import a_module_that_is_not_there"
    service(SERVICE + code)
    run, entries, said = follow(log_to="trackio")
    assert len(said) == 1
    assert said[0].startswith("trackio: ")
    assert said[0].endswith("the run goes on without it")
    assert entries[-1].event.NAME == "run_finished"
    assert run.row().ended == "finished"


def test_a_run_that_is_given_up_is_finished_there_too(locations, tiny, service):
    service()
    runner = Runner(locations)
    entries = Tracking(runner.store, print, log_to="trackio").follow(runner.run(tiny))
    next(entries)
    entries.close()
    import trackio

    assert trackio.calls[-1] == ("finish",)


def test_event_files_are_written_as_the_run_goes(locations, tiny):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    runner = Runner(locations)
    entries = Tracking(runner.store, pytest.fail, tensorboard=True).follow(runner.run(tiny))
    for entry in entries:
        if entry.event.NAME == "epoch_finished":
            break
    events = EventAccumulator(str(runner.store.run(entry.run_id).folder / "tensorboard"))
    events.Reload()
    assert events.Scalars("accuracy/test")[0].value == pytest.approx(entry.event.test_accuracy)
    entries.close()


def steps_in_event_files(run):
    """The steps of each tag, in the order in which they were written: that of the names of files is another one where
    two are of the same second."""
    import warnings

    found = defaultdict(list)
    files = (run.folder / "tensorboard").glob("events.out.tfevents.*")
    for file in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

            events = EventAccumulator(str(file), purge_orphaned_data=False)
            events.Reload()
        tags = events.Tags()
        for tag in tags["scalars"]:
            found[tag] += [event.step for event in events.Scalars(tag)]
        for tag in tags["tensors"]:
            found[tag] += [event.step for event in events.Tensors(tag)]
    return found


def killed(locations, entries, after, tmp_path):
    """The run as a kill leaves it once this event is in its log, in a home of its own, and where that is."""
    for entry in entries:
        if after(entry.event):
            break
    home = tmp_path / "killed"
    shutil.copytree(locations.home, home)
    entries.close()
    there = replace(locations, home=home)
    run = Runner(there).store.run(entry.run_id)
    run.release()
    return run, there


MOMENTS = {
    "in an epoch": lambda event: event.NAME == "step_progress" and event.epoch == 2,
    "before its checkpoint": lambda event: event.NAME == "epoch_finished" and event.epoch == 2,
    "after it": lambda event: event.NAME == "checkpoint_saved" and event.epoch == 1,
}


@pytest.mark.parametrize("after", MOMENTS.values(), ids=MOMENTS)
def test_a_killed_run_that_goes_on_is_tracked_as_before_and_no_step_of_it_twice(
    locations, tiny, service, tmp_path, after
):
    service()
    runner = Runner(locations)
    first = Tracking(runner.store, pytest.fail, tensorboard=True, log_to="trackio")
    run, there = killed(locations, first.follow(runner.run(tiny)), after, tmp_path)
    import trackio

    before = [call for call in trackio.calls if call[0] == "log"]
    trackio.calls.clear()
    assert run.meta().trackers == ("tensorboard", "trackio")
    resumed = Runner(there)
    list(Tracking(resumed.store, pytest.fail).follow(resumed.resume(run)))
    steps = steps_in_event_files(run)
    assert steps["accuracy/test"] == steps["lr"] == [1, 2]
    assert steps["config/text_summary"] == [0]
    logged = [entry.event for entry in EventReader(run.log).poll() if entry.event.NAME == "step_progress"]
    positions = {(event.epoch - 1) * event.steps_per_epoch + event.step for event in logged if event.loss is not None}
    assert steps["loss/step"] == sorted(positions)
    sent = [*before, *(call for call in trackio.calls if call[0] == "log")]
    for key in ("epoch", "step_loss", "final_test_accuracy"):
        at = [step for _, values, step in sent if key in values]
        assert at == sorted(set(at)), key
    assert [values["epoch"] for _, values, _ in sent if "epoch" in values] == [1, 2]


def test_a_tracker_asked_for_later_gets_what_was_before_and_stays(locations, tiny, service, tmp_path):
    service()
    runner = Runner(locations)
    entries = Tracking(runner.store, pytest.fail).follow(runner.run(tiny))
    run, there = killed(locations, entries, MOMENTS["in an epoch"], tmp_path)
    assert run.meta().trackers == ()
    resumed = Runner(there)
    asked = Tracking(resumed.store, pytest.fail, tensorboard=True, log_to="trackio")
    list(asked.follow(resumed.resume(run)))
    import trackio

    assert steps_in_event_files(run)["accuracy/test"] == [1, 2]
    assert [call[1]["epoch"] for call in trackio.calls if call[0] == "log" and "epoch" in call[1]] == [1, 2]
    list(Tracking(resumed.store, pytest.fail).follow(resumed.resume(run, epochs=3)))
    assert steps_in_event_files(run)["accuracy/test"] == [1, 2, 3]
    assert [call[1]["epoch"] for call in trackio.calls if call[0] == "log" and "epoch" in call[1]] == [1, 2, 3]


def test_a_service_that_knows_how_to_go_on_with_a_run_is_asked_to(locations, tiny, service, tmp_path):
    service(
        SERVICE.replace("project, name, config)", "project, name, config, id=None, resume='never')", 1).replace(
            "name, config))", "id, resume))", 1
        )
    )
    runner = Runner(locations)
    entries = Tracking(runner.store, pytest.fail, log_to="trackio").follow(runner.run(tiny))
    run, there = killed(locations, entries, MOMENTS["after it"], tmp_path)
    list(Tracking(Runner(there).store, pytest.fail).follow(Runner(there).resume(run)))
    import trackio

    inits = [call for call in trackio.calls if call[0] == "init"]
    assert inits == [("init", "mnist-tui", run.id, "never"), ("init", "mnist-tui", run.id, "allow")]


def test_a_tracker_that_is_missing_now_is_named_in_a_line_and_the_run_goes_on(
    locations, tiny, service, tmp_path, monkeypatch
):
    service()
    runner, said = Runner(locations), []
    entries = Tracking(runner.store, pytest.fail, log_to="trackio").follow(runner.run(tiny))
    run, there = killed(locations, entries, MOMENTS["after it"], tmp_path)
    monkeypatch.setitem(sys.modules, "trackio", None)
    *_, last = Tracking(Runner(there).store, said.append).follow(Runner(there).resume(run))
    assert last.event.NAME == "run_finished"
    assert len(said) == 1
    assert said[0].startswith("trackio: ")
    assert run.meta().trackers == ("trackio",)


def test_the_interface_goes_on_tracking_a_run_that_it_continues(locations, tiny, tmp_path):
    from experiments.execution.together.recorded import ResumedRun
    from tui.live.session import Job

    runner = Runner(locations)
    entries = Tracking(runner.store, pytest.fail, tensorboard=True).follow(runner.run(tiny))
    run, there = killed(locations, entries, MOMENTS["in an epoch"], tmp_path)
    job = Job([ResumedRun(run)])
    job.train(there)
    assert not job.warnings
    assert steps_in_event_files(run)["accuracy/test"] == [1, 2]


def test_event_files_that_cannot_be_written_do_not_stop_a_run(locations, tiny):
    runner, said = Runner(locations), []
    plain = runner.run(tiny)
    first = next(plain)
    (runner.store.run(first.run_id).folder / "tensorboard").write_text("in the way")

    def entries():
        yield first
        yield from plain

    found = list(Tracking(runner.store, said.append, tensorboard=True).follow(entries()))
    assert found[-1].event.NAME == "run_finished"
    assert [text.split(":")[0] for text in said] == ["tensorboard"]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"log_to": "wandb"}, "pip install 'wandb'"),
        ({"tensorboard": True}, "pip install 'mnist-tui[tensorboard]'"),
    ],
)
def test_a_missing_package_is_named_before_anything_trains(locations, monkeypatch, options, hint):
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InvalidValue) as caught:
        Tracking(Runner(locations).store, pytest.fail, **options).check()
    assert caught.value.hint == hint
