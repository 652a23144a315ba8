"""The command line on a terminal, and without one."""

import subprocess

import pexpect
import pytest


@pytest.fixture
def finished(lab):
    """A home with one finished run."""
    words = "run --dataset mnist-5k --limit-train 64 --limit-test 64 --epochs 1 --device cpu --quiet --arch"
    assert lab.run(*words.split(), "c4 gap fc10").returncode == 0
    return lab


def ask_to_delete(lab) -> pexpect.spawn:
    command, *arguments = [*lab.command, "rm", "latest"]
    process = pexpect.spawn(command, arguments, env=lab.environment, encoding="utf-8", timeout=60)
    process.expect("Delete .*")
    return process


@pytest.mark.parametrize(
    ("answer", "left"), [("n\n", 1), ("\x03", 1), ("\x04", 1), ("y\n", 0)], ids=["no", "Ctrl+C", "Ctrl+D", "yes"]
)
def test_deleting_asks_first_and_only_a_yes_deletes(finished, answer, left):
    process = ask_to_delete(finished)
    process.send(answer)
    process.expect(pexpect.EOF)
    process.close()
    assert "Traceback" not in process.before
    assert (process.exitstatus == 0) == (left == 0)
    assert len(finished.rows()) == left


def test_a_failed_command_is_told_without_a_traceback_on_a_terminal_too(lab):
    command, *arguments = [*lab.command, "run", "--lr", "abc"]
    process = pexpect.spawn(command, arguments, env=lab.environment, encoding="utf-8", timeout=60)
    process.expect(pexpect.EOF)
    process.close()
    assert process.exitstatus == 2
    assert process.before.splitlines()[0] == "error: lr = abc: must be a number above 0 and at most 100"


def test_without_a_terminal_the_interface_exits_2_and_names_run(lab):
    done = lab.run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "mnist-tui run" in done.stderr
    assert not lab.home.exists()


def test_a_table_cut_off_by_its_reader_is_no_error(lab):
    shell = f"{lab.command[0]} archs | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {shell}"], capture_output=True, text=True, env=lab.environment
    )
    assert done.stdout.startswith("name ")
    assert done.stderr == ""


def test_output_that_is_not_unicode_is_still_written(finished):
    ascii_only = {**finished.environment, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [*finished.command, "run", "--dataset", "mnist-5k", "--limit-train", "64", "--limit-test", "64"]
    command += ["--epochs", "1", "--name", "größe", "--arch", "c4 gap fc10"]
    done = subprocess.run(command, capture_output=True, env=ascii_only)
    assert done.returncode == 0, done.stderr
    listed = subprocess.run([*finished.command, "runs"], capture_output=True, env=ascii_only)
    assert listed.returncode == 0, listed.stderr
    assert len(listed.stdout.splitlines()) == 3
