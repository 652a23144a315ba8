"""A word before much is read, and on a terminal how far it is."""

from __future__ import annotations

import io
import sys

import pytest

from tui.command_line import patience


class Stderr(io.StringIO):
    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize("is_terminal", [True, False])
def test_how_far_the_reading_of_a_large_log_is_stands_on_a_terminal_while_it_lasts(
    new_run, script, monkeypatch, is_terminal
):
    run = new_run(script.started(), *[script.progress(1, step) for step in range(1, 50)], script.stopped(1))
    monkeypatch.setattr(patience, "LARGE", 1_000)
    monkeypatch.setattr("experiments.runs.eventlog.TOLD_AFTER", 1_000)
    monkeypatch.setattr(sys, "stderr", stderr := Stderr(is_terminal=is_terminal))
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    with patience.reading_logs([run]):
        run.view()
    run.view()
    said = stderr.getvalue()
    assert said.startswith("reading 0 MB of logs...\n")
    assert ("read: " in said, "%" in said) == (is_terminal, is_terminal)
    assert said.rpartition("\r")[0].rstrip(" \r").rpartition("\r")[2].startswith("read: ") == is_terminal


def test_nothing_is_said_of_a_log_that_is_read_at_once(new_run, script, capsys):
    run = new_run(script.started(), script.stopped(1))
    with patience.reading_logs([run]):
        run.view()
    assert capsys.readouterr().err == ""
