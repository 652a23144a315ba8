"""`watch` follows a run of whoever trains it; `rm` deletes runs, but no live one."""

import json
import threading

import psutil
import pytest


@pytest.fixture
def abandoned(new_run):
    """Make a run whose process has died."""

    def make(*events, **names):
        run = new_run(*events, **names)
        owner = run.folder / "owner.json"
        gone = {"started": psutil.Process().create_time() - 999, "birth": ""}
        owner.write_text(json.dumps(json.loads(owner.read_text()) | gone))
        return run

    return make


def test_watching_a_finished_run_shows_its_epochs_and_result(cli, new_run, script):
    run = new_run(script.started(), script.progress(1, 235), script.epoch(1), script.finished(1), name="x")
    answer = cli("watch", "x")
    assert answer.code == 0
    score, last = answer.out.splitlines()
    assert score == "Test set: Average loss: 0.0210, Accuracy: 9900/10000 (99.00%)"
    assert last.startswith(f"run {run.id} (seed 0) finished: final 99.00%")
    assert "epoch 1/20 loss=0.0123: 100%|" in answer.err


def test_watching_a_live_run_waits_for_its_end(cli, new_run, script):
    run = new_run(script.started(), script.epoch(1, 0.98), name="x")

    def go_on():
        with run.open_log() as log:
            for event in (script.epoch(2, 0.99), script.epoch(3, 0.995), script.finished(3, 0.995)):
                threading.Event().wait(0.15)
                log.append(event)
        run.release()

    trainer = threading.Thread(target=go_on)
    trainer.start()
    answer = cli("watch", run.id)
    trainer.join()
    assert answer.code == 0
    assert [line.split(" ")[-1] for line in answer.out.splitlines()[:3]] == ["(98.00%)", "(99.00%)", "(99.50%)"]
    assert "finished" in answer.out.splitlines()[3]


def test_watching_a_crashed_run_ends_and_says_so(cli, abandoned, script):
    abandoned(script.started(), script.epoch(1), name="x")
    answer = cli("watch", "x")
    assert answer.code == 1
    assert "without an end after 1 epoch" in answer.out


def test_watching_a_failed_run_exits_1_with_the_error(cli, new_run, script):
    new_run(script.started(), script.failed(), name="x")
    answer = cli("watch", "x")
    assert answer.code == 1
    assert "error: the loss is not finite" in answer.err
    assert "hint: use a lower --lr" in answer.err


def test_watching_a_stopped_run_ends_with_code_0(cli, new_run, script):
    new_run(script.started(), script.stopped(reason="SIGTERM"), name="x")
    answer = cli("watch", "x")
    assert (answer.code, "stopped (SIGTERM)" in answer.out) == (0, True)


def test_runs_are_deleted_by_any_reference_each_once(cli, new_run, script, store):
    for name in ("a", "b", "c"):
        new_run(script.started(), script.finished(), name=name)
    first = store.find("a")
    answer = cli("rm", "a", first.id, "b")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.count("deleted") == 2
    assert [run.meta().name for run in store.runs()] == ["c"]


def test_a_crashed_run_can_be_deleted(cli, abandoned, script, store):
    abandoned(script.started(), name="x")
    assert cli("rm", "x").code == 0
    assert store.runs() == []


def test_a_live_run_is_not_deleted_nor_any_other_of_the_same_command(cli, refused, new_run, script, store):
    new_run(script.started(), script.finished(), name="done")
    live = new_run(script.started(), name="live")
    answer = cli("rm", "done", "live")
    refused(answer, 2, f"run = {live.id}", "is running")
    assert len(store.runs()) == 2


def test_one_wrong_reference_deletes_nothing(cli, refused, new_run, script, store):
    new_run(script.started(), script.finished(), name="done")
    refused(cli("rm", "done", "nobody"), 5, "no such run: 'nobody'")
    assert len(store.runs()) == 1


def test_a_link_in_a_runs_folder_is_deleted_and_not_what_it_points_to(cli, new_run, script, tmp_path):
    run = new_run(script.started(), script.finished(), name="x")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("keep")
    (run.folder / "link").symlink_to(tmp_path / "mine")
    assert cli("rm", "x").code == 0
    assert (tmp_path / "mine" / "file").read_text() == "keep"
