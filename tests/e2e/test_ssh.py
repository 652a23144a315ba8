"""A connection that is lost: over a real SSH server, by the death of the client and by a path that falls silent."""

from __future__ import annotations

import sys

import pexpect
import psutil
import pytest
from pseudo_terminal import TerminalApp
from ssh_server import SilentPath, SshServer, why_not
from waiting import wait_until

from experiments.runs.row import Status
from experiments.runs.store import Store

pytestmark = [pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"), pytest.mark.timeout(900)]

EPOCHS = "40"
FEW = "12"
"""Epochs of seeds of which one still waits when the connection is lost."""
WORDS = (
    "--dataset",
    "mnist-5k",
    "--limit-train",
    "512",
    "--limit-test",
    "200",
    "--batch-size",
    "64",
    "--device",
    "cpu",
    "--engine",
    "eager",  # there is nothing to compile
)
RUN = ("run", *WORDS, "--no-budget", "--arch", "c4 p2 c8 gap fc10", "--epochs", EPOCHS)


@pytest.fixture
def server(tmp_path_factory):
    made = SshServer(tmp_path_factory.mktemp("ssh"))
    yield made
    made.close()


@pytest.fixture
def path(server):
    made = SilentPath(server.port)
    yield made
    made.close()


@pytest.fixture
def variables(lab) -> dict[str, str]:
    kept = ("PATH", "PYTHONPATH", "XDG_CACHE_HOME", "OMP_NUM_THREADS")
    named = {name: lab.environment[name] for name in kept if name in lab.environment}
    return {**named, "MNIST_TUI_HOME": str(lab.home), "TERM": "xterm-256color", "LANG": "C.UTF-8"}


def trained(lab) -> list:
    """The runs of the home by seed, once there are some and all have ended."""
    store = Store(lab.home)

    def is_over() -> bool:
        runs = store.runs()
        return bool(runs) and all(run.view().end is not None and not run.is_alive() for run in runs)

    wait_until(is_over, 240)
    return sorted(store.runs(), key=lambda run: run.config()["seed"])


def hashes(runs) -> list[str]:
    assert [run.status() for run in runs] == [Status.FINISHED] * len(runs)
    return [run.view().end.weights_sha256 for run in runs]


def undisturbed(lab, tmp_path, *arguments: str) -> list[str]:
    """The weights of the same runs, left alone."""
    other = tmp_path / "undisturbed"
    done = lab.run("--home", str(other), *RUN, *arguments, "--quiet", timeout=240)
    assert done.returncode == 0, done.stderr
    return hashes(sorted(Store(other).runs(), key=lambda run: run.config()["seed"]))


def test_seeds_begun_in_the_interface_are_all_trained_when_the_client_is_killed(
    lab, server, variables, endless_form, tmp_path
):
    endless_form(seed="0-2", epochs=FEW, engine="eager")
    command = server.client([sys.executable, "-m", "tui"], variables, terminal=True)
    app = TerminalApp(lab.home, (100, 30), command=command)
    app.wait_for("3 runs: ")
    app.press("ctrl+r")
    app.wait_for(lambda _: any(run.view().epochs for run in Store(lab.home).runs()), 240)
    psutil.Process(app.process.pid).kill()
    assert hashes(trained(lab)) == undisturbed(lab, tmp_path, "--epochs", FEW, "--seeds", "0-2", "--jobs", "1")


@pytest.mark.parametrize("terminal", [True, False], ids=["with a terminal", "without one"])
def test_a_run_in_the_foreground_goes_on_when_the_client_is_killed(lab, server, variables, tmp_path, terminal):
    command = server.client([sys.executable, "-m", "tui", *RUN], variables, terminal=terminal)
    client = pexpect.spawn(command[0], command[1:], timeout=120, encoding="utf-8")
    client.expect(r"Test set: Average loss")
    psutil.Process(client.pid).kill()
    assert hashes(trained(lab)) == undisturbed(lab, tmp_path)
    assert "it goes on without a terminal" in (lab.home / "detached.log").read_text()


def test_a_path_that_falls_silent_holds_up_nothing_and_its_end_ends_nothing(
    lab, server, path, variables, endless_form, tmp_path
):
    endless_form(epochs=EPOCHS, engine="eager")
    command = server.client([sys.executable, "-m", "tui"], variables, terminal=True, port=path.port)
    app = TerminalApp(lab.home, (100, 30), command=command)
    app.wait_for("Ready")
    app.press("ctrl+r")
    app.wait_for(f"/{EPOCHS} loss=", 240)
    path.cut()
    assert hashes(trained(lab)) == undisturbed(lab, tmp_path)
    log = lab.home / "interface.log"
    wait_until(lambda: "the terminal is gone" in log.read_text() or not _is_there(lab))


def _is_there(lab) -> bool:
    """Whether the interface at the other end still runs."""
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("MNIST_TUI_HOME") == str(lab.home) and process.name() != "ssh":
            return True
    return False
