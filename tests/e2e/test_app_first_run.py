"""A new user's first quarter of an hour, in a real pseudo-terminal: design, start, watch, stop, find, fork, quit."""

from __future__ import annotations

import os
import re
import resource
import signal

import pytest
from waiting import wait_until

from experiments.runs.row import Status
from experiments.runs.store import Store


def braille(text: str) -> int:
    """How many cells curves take up."""
    return sum("\u2800" < character <= "\u28ff" for character in text)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
def test_open_choose_change_start_watch_stop_find_fork_quit(terminal, tmp_path, endless_form, size):
    endless_form(arch="conv9", dataset="auto", batch_size="256")
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
    first = app.wait_for("/10000 loss=")
    app.wait_for("Accuracy: ")
    app.wait_for(lambda text: re.search(r"epoch ([3-9]|\d\d+)/10000 loss=", text) and "Epoch" in text, 120)
    app.wait_for(lambda text: text.count("Accuracy: ") >= 2 and text != first and braille(text) > 0)
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
    app.wait_for("0 changes")
    app.press("0.05")
    app.wait_for("1 change")
    app.press("escape")
    app.wait_for("Edit spec")
    app.press("q")
    assert app.exit_code() == 0
    assert len(Store(tmp_path / "home").runs()) == 1


def test_quit_while_a_run_is_live_asks_and_discard_leaves_nothing(in_training, tmp_path):
    app = in_training()
    app.press("q")
    app.wait_for("A run is being trained.")
    app.press("escape")
    app.wait_for(lambda text: "A run is being trained." not in text)
    app.press("q")
    app.wait_for("Discard")
    app.press("down", "down", "enter")
    assert app.exit_code() == 0
    assert Store(tmp_path / "home").runs() == []


def test_keep_it_running_hands_the_run_to_a_process_of_its_own(in_training, terminal, tmp_path):
    app = in_training()
    app.press("q")
    app.wait_for("keep it running")
    app.press("down", "enter")
    assert app.exit_code() == 0
    run = Store(tmp_path / "home").find("latest")
    assert run.is_owned_elsewhere()
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


def test_keep_it_running_hands_over_the_seeds_that_wait_too(terminal, lab, tmp_path, endless_form):
    endless_form(seed="3-5")
    app = terminal((100, 30))
    app.wait_for("3 runs: ")
    app.press("ctrl+r")
    app.wait_for("/10000 loss=")
    app.press("q")
    app.wait_for("will be trained")
    app.press("down", "enter")
    assert app.exit_code() == 0
    store = Store(tmp_path / "home")
    group_id = store.runs()[0].meta().group_id
    runs = store.find_all(group_id)
    (owner,) = {run.owner() for run in runs}
    try:
        assert [run.row().seed for run in runs] == [3, 4, 5]
        assert all(run.is_owned_elsewhere() for run in runs)
        for run in reversed(runs):
            run.ask_to_stop()
        wait_until(lambda: [run.status() for run in runs] == [Status.STOPPED] * 3)
    finally:
        if runs[-1].is_alive():
            os.kill(owner.pid, signal.SIGKILL)


def test_a_disk_that_is_full_ends_the_run_with_a_word_and_c_goes_on_with_it_later(terminal, tmp_path, endless_form):
    """Full for this process alone: no file of it may grow to the size that weights have."""
    endless_form(arch="conv9", limit_train="2000")
    app = terminal((100, 30))
    app.wait_for("Ready")
    app.press("ctrl+r")
    app.wait_for("/10000 loss=")
    run = Store(tmp_path / "home").find("latest")
    resource.prlimit(app.process.pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    app.wait_for("✗ failed")
    for words in ("cannot be written: File too large", "then go on with key c"):
        app.wait_for(lambda text, words=words: words in " ".join(text.replace("│", " ").split()))
    assert run.status() is Status.FAILED
    app.press("3")
    app.wait_for("1 run, 0 live")
    app.press("1")
    app.wait_for("Ready: conv9 on mnist-5k")
    resource.prlimit(app.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    app.press("2", "c")
    app.wait_for(lambda text: "● running" in text and "/10000 loss=" in text)
    app.press("x")
    app.wait_for("■ stopped")
    app.press("3")
    app.wait_for(lambda text: "1 run, 0 live" in text and "stopped" in text)  # the list knows of it
    app.press("c")
    app.wait_for("● running")
    app.press("x")
    app.wait_for("■ stopped")
    app.press("q")
    assert app.exit_code() == 0
    assert [run.id for run in Store(tmp_path / "home").runs()] == [run.id]


def test_ascii_draws_nothing_else(terminal):
    app = terminal((80, 24), "--ascii")
    text = app.wait_for("Ready")
    app.press("?")
    text += app.wait_for("esc closes")
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
