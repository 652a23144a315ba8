"""The command line on a terminal, and without one."""

import subprocess
from pathlib import Path

import pexpect
import pytest

from core.config import TrainConfig
from experiments.runs.folder import Meta
from experiments.runs.store import Store


@pytest.fixture
def finished(lab, script):
    """A home with one finished run."""
    run = Store(lab.home).create(TrainConfig(), Meta("größe"), {})
    script.write(run, script.started(), script.epoch(1), script.finished(1))
    run.release()
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
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, env=lab.environment)
    assert done.stdout.startswith("name ")
    assert done.stderr == ""


def test_a_name_that_the_terminal_cannot_write_is_listed_all_the_same(finished):
    """Standard streams of another encoding than UTF-8, as in a legacy locale."""
    ascii_only = finished.environment | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([*finished.command, "runs"], capture_output=True, text=True, env=ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("command", [("runs", "--json"), ("archs",), ("--help",), ("run", "--help"), ("--version",)])
def test_a_full_disk_under_the_output_is_told_in_a_line(lab, command):
    with Path("/dev/full").open("w") as full:
        done = lab.run(*command, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == "error: output cannot be written: No space left on device\nhint: free some space there\n"


@pytest.mark.parametrize(("command", "code"), [(("show", "nobody"), 5), (("--frobnicate",), 2)])
def test_a_full_disk_under_the_errors_changes_no_exit_code(lab, command, code):
    with Path("/dev/full").open("w") as full:
        assert lab.run(*command, capture_output=False, stdout=full, stderr=full).returncode == code


@pytest.mark.parametrize("command", ["--help", "archs", "run --help"])
def test_a_reader_that_wants_nothing_more_is_no_error_to_speak_of(lab, command):
    shell = f"{lab.command[0]} {command} | true"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, env=lab.environment)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_is_no_reason_to_fail(lab, closed):
    """As when a service manager starts the program without them."""
    done = subprocess.run(["bash", "-c", f'"$@" {closed}', "bash", *lab.command, "runs"], env=lab.environment)
    assert done.returncode == 0


NOISY = """
import os
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))

    def forward(self, images):
        for descriptor in range(3):
            try:
                os.write(descriptor, b"from a " + b"library")  # this file, which the run keeps, has it not
            except OSError:
                pass
        return super().forward(images)
"""


def test_what_is_printed_where_the_standard_streams_are_closed_goes_into_no_file(lab, tmp_path):
    """Their numbers would be those of the first files that are opened, the log of events among them."""
    (tmp_path / "noisy.py").write_text(NOISY)
    options = ["--dataset", "mnist-5k", "--limit-train", "256", "--limit-test", "100", "--epochs", "1"]
    words = [*lab.command, "run", "--arch", f"{tmp_path / 'noisy.py'}:Net", *options, "--device", "cpu"]
    done = subprocess.run(["bash", "-c", '"$@" <&- >&- 2>&-', "bash", *words], env=lab.environment)
    assert done.returncode == 0
    events = [record["event"] for record in lab.events()]  # every line is JSON
    assert (events[0], events[-1]) == ("run_started", "run_finished")
    for path in lab.home.rglob("*"):
        assert not path.is_file() or b"from a library" not in path.read_bytes(), path
    assert (
        subprocess.run(["bash", "-c", '"$@" <&- >&- 2>&-', "bash", *lab.command], env=lab.environment).returncode == 2
    )
