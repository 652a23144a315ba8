"""Advice in the words of the command line: flags and commands."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from core.advice import Action, Advice, Hint, Tip

if TYPE_CHECKING:
    from core.events import TrainEvent

_FLAGS = {"output": "-o", "home": "--home or MNIST_TUI_HOME"}
"""The options that have another name than their field."""

WORDS = {
    Action.SET: "use {flag} {value}",
    Action.LOWER: "use a lower {flag} than {value}",
    Action.SHRINK: "use a smaller {flag} than {value}",
    Action.RAISE_BUDGET: "raise the budget with {flag}",
    Action.LIFT_BUDGETS: "lift both budgets with --no-budget",
    Action.LIFT_RUN_BUDGETS: "lift the run's budgets with --no-budget",
    Action.LEAVE_OUT: "leave {flag} out",
    Action.CHANGE: "choose another {flag}",
    Action.EXAMPLE: "for example {flag} {value}",
    Action.OPTION: "{flag} {value}",
    Action.START_WITH: "choose {value} with {flag}",
    Action.CHOOSE: "choose {value} with {flag}",
    Action.OVERWRITE: "replace it with --force",
    Action.TRACEBACK: "mnist-tui --traceback shows all of the error",
    Action.FEWER_AT_ONCE: "train fewer runs at a time with --jobs N",
    Action.TRAIN: "mnist-tui run",
    Action.TRAIN_GROUP: "mnist-tui run --seeds",
    Action.RESUME: "mnist-tui resume {subject}",
    Action.EXTEND: "extend it with --epochs N",
    Action.WATCH: "mnist-tui watch {subject}",
    Action.SHOW: "mnist-tui show {subject}",
    Action.VERIFY: "mnist-tui verify {subject}",
    Action.LIST_RUNS: "mnist-tui runs",
    Action.LIST_PRESETS: "mnist-tui presets",
    Action.EXPLAIN_LAYERS: "mnist-tui archs explains every layer",
    Action.DOWNLOAD: "mnist-tui data download --dataset {subject}",
    Action.BEGIN_SWEEP: "mnist-tui sweep --study NAME --lr 0.01:0.1:log",
    Action.STOP_SWEEP: "mnist-tui sweeps {subject} --stop",
    Action.LIST_SWEEPS: "mnist-tui sweeps",
}


def flag(field: str) -> str:
    """The option of a field, or of another name, on the command line."""
    return _FLAGS.get(field) or f"--{field.replace('_', '-')}"


def for_command_line(hint: Hint) -> str:
    """The advice as a command prints it."""
    return Advice.of(hint).worded(_in_words)


def command_line_record(event: TrainEvent) -> dict[str, Any]:
    """The record of an event for the data that a command prints: `to_record`, its ``hint`` in these words."""
    from core.events import RunFailed, to_record  # which `--help` does not wait for

    record = to_record(event)
    return record | {"hint": for_command_line(event.advice)} if isinstance(event, RunFailed) else record


def _in_words(tip: Tip) -> str:
    value = quote(tip.value) if tip.subject == "arch" and tip.action is Action.OPTION and tip.value else tip.value
    words = WORDS[tip.action].format(flag=flag(tip.subject), subject=tip.subject, value=value)
    return words.rstrip()
