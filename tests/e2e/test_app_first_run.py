"""A new user's first quarter of an hour, in a real pseudo-terminal: design, start, watch, stop, find, fork, quit."""

from __future__ import annotations

import pytest
from pseudo_terminal import TerminalApp

from experiments.row import Status
from experiments.store import Store


@pytest.fixture
def terminal(tmp_path, cache_home):
    """Open the interface in terminals that are closed at the end."""
    opened: list[TerminalApp] = []

    def open_app(size: tuple[int, int], *arguments: str, **variables: str) -> TerminalApp:
        environment = {
            "XDG_CACHE_HOME": str(cache_home),
            "MNIST_TUI_DATA": str(tmp_path / "data"),
            "OMP_NUM_THREADS": "1",
            **variables,
        }
        opened.append(TerminalApp(tmp_path / "home", size, arguments=arguments, environment=environment))
        return opened[-1]

    yield open_app
    for app in opened:
        app.close()


def braille(text: str) -> int:
    """How many cells curves take up."""
    return sum("\u2800" < character <= "\u28ff" for character in text)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
def test_open_choose_change_start_watch_stop_find_fork_quit(terminal, tmp_path, size):
    app = terminal(size)
    app.wait_for("19,458 of 20,000, 542 left")
    app.press("down")
    app.wait_for("18,138 of 20,000, 1,862 left")
    app.press("v", "up")
    for _ in range(4):  # auto, mnist, fashion, kmnist, mnist-5k
        app.press("right")
    app.press("down", "0.02", "down", "64")
    app.wait_for("Ready: conv5 on mnist-5k")
    app.press("ctrl+r")
    app.wait_for("epoch 1/20 loss=")
    first = app.wait_for("Accuracy: ")
    app.wait_for(lambda text: "epoch 3/20 loss=" in text and "Epoch" in text, 120)
    later = app.wait_for(lambda text: text.count("Accuracy: ") >= 2)
    assert braille(later) > 0
    assert later != first
    app.press("x")
    app.wait_for("■ stopped")
    run = Store(tmp_path / "home").find("latest")
    assert run.status() is Status.STOPPED
    assert run.checkpoint.is_file()
    config = run.config()
    assert (config["arch"], config["lr"], config["batch_size"]) == ("conv5", 0.02, 64)

    app.press("3")
    app.wait_for("1 run, 0 live")
    app.wait_for(run.id)
    app.press("f")
    app.wait_for("Fork, 0 changed")
    app.press("0.05")
    app.wait_for("1 changed")
    app.press("escape")
    app.wait_for("Edit spec")
    app.press("q")
    assert app.exit_code() == 0
    assert len(Store(tmp_path / "home").runs()) == 1


def test_quit_while_a_run_is_live_asks_and_discard_leaves_nothing(terminal, tmp_path):
    app = terminal((100, 30))
    app.wait_for("Ready")
    app.press("v", "up", "m", "m", "ctrl+r")
    app.wait_for("epoch 1/20 loss=")
    app.press("q")
    app.wait_for("A run is being trained.")
    app.press("escape")
    app.wait_for(lambda text: "A run is being trained." not in text)
    app.press("q")
    app.wait_for("Discard")
    app.press("down", "down", "enter")
    assert app.exit_code() == 0
    assert Store(tmp_path / "home").runs() == []


def test_keep_it_running_hands_the_run_to_a_process_of_its_own(terminal, tmp_path):
    app = terminal((100, 30))
    app.wait_for("Ready")
    app.press("v", "up", "m", "m", "ctrl+r")
    app.wait_for("epoch 1/20 loss=")
    app.press("q")
    app.wait_for("keep it running")
    app.press("down", "enter")
    assert app.exit_code() == 0
    run = Store(tmp_path / "home").find("latest")
    assert run.is_trained_elsewhere()
    again = terminal((100, 30))
    again.wait_for("Ready")
    again.press("3")
    again.wait_for("1 live")
    again.press("enter")
    again.wait_for("● running")
    again.press("x")
    again.wait_for("■ stopped")
    again.press("q")
    assert again.exit_code() == 0


def test_ascii_draws_nothing_else(terminal):
    app = terminal((80, 24), "--ascii")
    text = app.wait_for("Ready")
    app.press("?")
    text += app.wait_for("Everywhere")
    assert text.isascii()


def test_no_color_sends_no_colour(terminal, monkeypatch):
    sent: list[bytes] = []
    app = terminal((80, 24), NO_COLOR="1")
    read = app.process.read_nonblocking
    monkeypatch.setattr(app.process, "read_nonblocking", lambda *a, **o: sent.append(read(*a, **o)) or sent[-1])
    app.wait_for("Ready")
    app.press("v", "down")
    everything = b"".join(sent)
    assert b"38;" not in everything
    assert b"48;" not in everything
