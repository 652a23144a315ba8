"""Training in a process of its own: signals end it cleanly, and whatever ends it, nothing that was logged is lost."""

import signal
import subprocess
import sys

import pytest

BARRIER = """
import runpy, sys

def wait_at(event, arguments):
    if event == "import" and arguments[0] == module:
        print("at the barrier", file=sys.stderr, flush=True)
        sys.stdin.read()

module = sys.argv.pop(1)
sys.addaudithook(wait_at)
runpy.run_module("tui", run_name="__main__")
"""
"""The program, held when it first imports a module until its standard input is closed."""


@pytest.mark.sampled(5)
@pytest.mark.parametrize("module", ["tui.cli", "typer", "core.config", "torch", "torch.nn"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_start_up_ends_the_program_in_words(lab, endless, number, module):
    """At any moment from the first on at which the program, not Python, decides."""
    command = [sys.executable, "-c", BARRIER, module, "--home", str(lab.home), *endless]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=lab.environment, **pipes) as process:
        assert process.stderr.readline() == "at the barrier\n"
        process.send_signal(number)
        process.stdin.close()
        said = process.stderr.read().splitlines()
    assert process.returncode == 128 + number
    if module.startswith("torch"):
        assert said == [f"error: stopped by {number.name}", "hint: the run had not begun, so nothing was saved"]
    else:
        assert said == [f"stopped by {number.name} before anything was begun"]
    assert lab.rows() == []


def start_watching(lab) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*lab.command, "watch", "latest"], text=True, env=lab.environment, **pipes)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_training_after_a_checkpoint_with_the_code_of_the_signal(lab, training, number, code):
    training.send_signal(number)
    out, err = training.communicate()
    assert training.returncode == code
    assert "Traceback" not in err
    assert f"stopped ({number.name})" in out.splitlines()[-1]
    last, end = lab.events()[-2:]
    assert last["event"] == "checkpoint_saved"
    assert (end["event"], end["reason"]) == ("run_stopped", number.name)
    (row,) = lab.rows()
    assert (row["status"], row["epochs_done"] >= 1) == ("stopped", True)


def test_a_live_run_is_listed_and_watched_but_not_deleted_until_it_is_killed(lab, training):
    assert [row["status"] for row in lab.rows()] == ["running"]
    refused = lab.run("rm", "latest")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is running" in refused.stderr
    watch = subprocess.Popen(
        [*lab.command, "watch", "latest"],
        text=True,
        env=lab.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert watch.stdout.readline().startswith("Test set: ")
    training.kill()
    training.wait()
    out, _ = watch.communicate()
    assert watch.returncode == 1
    assert "without an end" in out.splitlines()[-1]
    (row,) = lab.rows()
    assert row["status"] == "crashed"
    assert row["epochs_done"] == [record for record in lab.events() if record["event"] == "epoch_finished"][-1]["epoch"]


def test_a_watcher_leaves_the_run_alone_when_it_is_interrupted(lab, training):
    watch = start_watching(lab)
    watch.stdout.readline()
    watch.send_signal(signal.SIGINT)
    watch.communicate()
    assert watch.returncode == 130
    assert training.poll() is None
    assert [row["status"] for row in lab.rows()] == ["running"]


def test_a_reader_that_closes_the_pipe_stops_the_run(lab, endless):
    command = [*lab.command, *endless, "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=lab.environment, **pipes) as process:
        assert '"event": "run_started"' in process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait()
    assert process.returncode != 0
    assert "Traceback" not in err
    assert lab.events()[-1]["event"] == "run_stopped"
    assert [row["status"] for row in lab.rows()] == ["stopped"]


def test_seeds_whose_turn_never_came_are_there_to_go_on_with(lab, endless):
    command = [*lab.command, *endless, "--seeds", "3-6", "--jobs", "1", "--quiet"]
    with subprocess.Popen(command, text=True, env=lab.environment, stderr=subprocess.PIPE) as process:
        lab.wait_for("epoch_finished")
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    rows = lab.rows()
    assert f"mnist-tui resume {rows[0]['group_id']} goes on with all that have not finished" in said
    assert sorted((row["seed"], row["status"]) for row in rows) == [(seed, "stopped") for seed in (3, 4, 5, 6)]
