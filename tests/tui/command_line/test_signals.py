"""Signals as a wish to stop, and the exit code that each gives."""

import os
import signal
import subprocess
import sys

import pytest

from core.errors import DataError, InvalidValue, LabError, OverBudget, RunError, SpecError, Stopped, StorageError
from tui.command_line.exit_codes import exit_code_of, stop_code
from tui.command_line.signals import stop_on_signals

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_raises_the_flag_with_its_name_instead_of_ending_the_process(number):
    with stop_on_signals() as stop:
        assert stop() == ""
        signal.raise_signal(number)
        assert stop() == number.name


def test_a_signal_that_the_process_was_told_to_ignore_is_ignored():
    """As nohup does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop() == ""
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_first_of_several_signals_is_the_reason():
    with stop_on_signals() as stop:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
            signal.raise_signal(number)
        assert stop() == "SIGTERM"


def test_handlers_are_put_back_even_after_an_error():
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(RuntimeError), stop_on_signals():
        raise RuntimeError
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_second_ctrl_c_does_not_wait():
    code = (
        "import signal\nfrom tui.command_line.signals import stop_on_signals\n"
        "with stop_on_signals():\n    signal.raise_signal(signal.SIGINT)\n    print('asked', flush=True)\n"
        "    signal.raise_signal(signal.SIGINT)\n    print('still here', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert (done.returncode, done.stdout) == (130, "asked\n")


@pytest.mark.parametrize(("reason", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129), ("stop", 143)])
def test_a_stopped_run_exits_as_its_signal_would_have_it(reason, code):
    assert stop_code(reason) == code
    assert exit_code_of(Stopped(reason)) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidValue("lr", -1, "must be above 0"), 2),
        (SpecError("x", "x", 1, "no such layer"), 2),
        (StorageError("home"), 2),
        (LabError("anything else"), 2),
        (OverBudget("epochs"), 3),
        (DataError("missing"), 4),
        (RunError("none"), 5),
    ],
)
def test_every_expected_failure_has_its_code(error, code):
    assert exit_code_of(error) == code
