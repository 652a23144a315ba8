"""Runs shown elsewhere as they go, and what becomes of a run when that fails: nothing."""

import sys

import pytest

from core.errors import InvalidValue
from experiments.execution.runner import Runner
from experiments.export.tracking import Tracking

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
        monkeypatch.delitem(sys.modules, "trackio", raising=False)

    yield install
    sys.modules.pop("trackio", None)


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
