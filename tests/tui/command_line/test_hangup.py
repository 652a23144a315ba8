"""Streams that may lose their terminal, and what is done of a hang-up."""

from __future__ import annotations

import os
import pty
import signal
import sys
import tty

import pytest

from experiments.locations import Locations
from tui.command_line import hangup
from tui.command_line.hangup import Afterwards, OutlivingStream, keeps_on_hangup, open_log, training_on_a_terminal


class Line:
    """A terminal, and the end of it that a person looks at."""

    def __init__(self) -> None:
        self.far, near = pty.openpty()
        tty.setraw(near)
        self.near = os.fdopen(near, "w", encoding="utf-8")

    def read(self) -> bytes:
        os.set_blocking(self.far, False)
        data = b""
        try:
            while more := os.read(self.far, 1 << 16):
                data += more
        except OSError:  # there is no more
            pass
        return data


@pytest.fixture
def line():
    made = Line()
    yield made
    made.near.close()


@pytest.fixture
def after(tmp_path):
    return Afterwards(tmp_path / "home" / "detached.log")


def never() -> str:
    return ""


def test_a_terminal_that_takes_nothing_is_not_waited_for_and_gets_all_of_it_later(line, after):
    stream = OutlivingStream(line.near, after, never, keeps=True)
    words = [f"line {number} {'x' * 90}\n" for number in range(1500)]
    for word in words:
        stream.write(word)  # more than a terminal has room for, and nobody reads
    seen = line.read()
    while len(seen) < len("".join(words)):
        stream.flush()
        seen += line.read()
    assert seen.decode() == "".join(words)
    stream.finish()


def test_of_very_much_that_waits_the_oldest_lines_are_left_out(line, after):
    stream = OutlivingStream(line.near, after, never, keeps=True)
    for number in range(20_000):
        stream.write(f"line {number} {'x' * 90}\n")
    assert len(stream._waiting) <= hangup.MAX_WAITING
    assert stream._waiting.startswith(b"line ")
    assert stream._waiting.endswith(b"line 19999 " + b"x" * 90 + b"\n")
    os.close(line.far)
    stream.finish()


def test_what_is_said_after_the_terminal_has_gone_is_in_the_log_behind_a_line_on_who_says_it(line, after, tmp_path):
    stream = OutlivingStream(line.near, after, never, keeps=True)
    assert stream.isatty()
    os.close(line.far)
    for word in ("lost\n", "kept\n", "kept too\n"):
        stream.write(word)
    assert not stream.isatty()
    first, *rest = (tmp_path / "home" / "detached.log").read_text().splitlines()
    assert f"process {os.getpid()}, mnist-tui" in first
    assert first.endswith("the terminal is gone; it goes on without a terminal")
    assert rest[-2:] == ["kept", "kept too"]
    stream.finish()


def test_where_nothing_is_to_be_kept_a_terminal_that_has_gone_is_left_to_the_signal(line, after, tmp_path):
    stream = OutlivingStream(line.near, after, never, keeps=False)
    os.close(line.far)
    stream.write("lost\n")
    stream.finish()
    assert not (tmp_path / "home").exists()


@pytest.fixture
def closed_pipe():
    """A stream whose reader has gone."""
    theirs, mine = os.pipe()
    os.close(theirs)
    stream = os.fdopen(mine, "w", buffering=1)
    yield stream
    with pytest.raises(BrokenPipeError):
        stream.close()


@pytest.mark.parametrize(("variables", "is_lost"), [({}, False), ({"SSH_TTY": "/dev/pts/9"}, False), (None, True)])
def test_a_pipe_whose_reader_has_gone_is_a_lost_connection_only_of_ssh_without_a_terminal(
    closed_pipe, after, tmp_path, monkeypatch, variables, is_lost
):
    monkeypatch.delenv("SSH_TTY", raising=False)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    for name, value in (variables if variables is not None else {"SSH_CONNECTION": "::1 1 ::1 22"}).items():
        monkeypatch.setenv(name, value)
    stream = OutlivingStream(closed_pipe, after, never, keeps=True)
    if is_lost:
        stream.write("lost\n")
        stream.write("kept\n")
        assert (tmp_path / "home" / "detached.log").read_text().splitlines()[-1] == "kept"
    else:
        with pytest.raises(BrokenPipeError):
            stream.write("lost\n")


def test_a_file_in_the_place_of_a_terminal_goes_on_as_the_file_that_it_is(after, tmp_path):
    with (tmp_path / "out").open("w") as file:
        stream = OutlivingStream(file, after, never, keeps=True)
        stream.write("before\n")
        stream.leave("SIGHUP")
        stream.write("after\n")
        stream.finish()
    assert (tmp_path / "out").read_text() == "before\nafter\n"


@pytest.mark.parametrize(("asked", "reason"), [("keep", ""), ("stop", "SIGHUP")])
def test_a_hangup_is_a_reason_to_stop_only_where_it_shall_be(tmp_path, asked, reason):
    locations = Locations.resolve(tmp_path / "home", tmp_path / "data")
    before = sys.stdout, sys.stderr, signal.getsignal(signal.SIGHUP)
    with training_on_a_terminal(locations, asked) as stop:
        for _ in range(2):
            signal.raise_signal(signal.SIGHUP)
        assert stop() == reason
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        assert stop() == (reason or "SIGTERM")
    assert (sys.stdout, sys.stderr, signal.getsignal(signal.SIGHUP)) == before


def test_a_process_that_was_told_to_ignore_hangups_does(tmp_path):
    locations = Locations.resolve(tmp_path / "home", tmp_path / "data")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with training_on_a_terminal(locations, "stop") as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop() == ""
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_command_says_more_than_the_variable(monkeypatch):
    assert keeps_on_hangup()
    monkeypatch.setenv("MNIST_TUI_ON_HANGUP", "stop")
    assert not keeps_on_hangup()
    assert keeps_on_hangup("keep")


def test_a_log_that_has_become_long_starts_over(tmp_path, monkeypatch):
    monkeypatch.setattr(hangup, "MAX_LOG", 10)
    for _ in range(4):
        handle = open_log(tmp_path / "log")
        os.write(handle, b"123456789\n")
        os.close(handle)
    assert (tmp_path / "log").read_bytes() == b"123456789\n" * 2
