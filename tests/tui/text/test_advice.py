"""Advice in the words of the command line, and that nobody below it uses them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.events import RunStopped
from tui.commands import COMMANDS
from tui.text.advice import WORDS, command_line_record, for_command_line

ROOT = Path(__file__).parents[3]
OWN_WORDS = re.compile(
    rf"(?<![\w(-])--[a-z]+(?:-[a-z]+)*(?![\w-]*:)|mnist-tui (?:{'|'.join(COMMANDS)})\b|\bctrl\+|\bpress [a-z]\b"
)
ALLOWED = {
    "experiments/claims/report.py": {"mnist-tui claims"},
    "experiments/studies/plan.py": {"--preset", "--config"},
    "core/engines/native/library.py": {"--version"},
    "experiments/execution/ray_executor.py": {"--head", "--force-reinstall"},
    "experiments/runs/environment.py": {"--always", "--abbrev", "--exclude", "--dirty"},
}
"""Options of other programs, what a page was made with, and the words that a study's file has of its own."""


@pytest.mark.parametrize("action", Action)
def test_every_tip_has_words(action):
    assert for_command_line(Tip(action, "lr", "0.1")).strip()


@pytest.mark.parametrize(
    ("advice", "words"),
    [
        (Advice(Tip(Action.LOWER, "lr", "0.1")), "use a lower --lr than 0.1"),
        (Advice(Tip(Action.SHRINK, "batch_size", "256")), "use a smaller --batch-size than 256"),
        (
            Advice(Tip(Action.RAISE_BUDGET, "max_params"), ", or ", Tip(Action.LIFT_BUDGETS)),
            "raise the budget with --max-params, or lift both budgets with --no-budget",
        ),
        (
            Advice(Tip(Action.SET, "precision", "fp32"), ", or ", Tip(Action.OPTION, "device", "cuda")),
            "use --precision fp32, or --device cuda",
        ),
        (Advice("without ", Tip(Action.OPTION, "group")), "without --group"),
        (Advice(Tip(Action.CHOOSE, "output", "another place")), "choose another place with -o"),
        (Advice(Tip(Action.RESUME, "ID"), " continues it"), "mnist-tui resume ID continues it"),
        (Advice(Tip(Action.VERIFY), " says what else is"), "mnist-tui verify says what else is"),
        (Advice(Tip(Action.START_WITH, "data_dir", "a writable folder")), "choose a writable folder with --data-dir"),
    ],
    ids=str,
)
def test_advice_is_given_in_flags_and_commands(advice, words):
    assert for_command_line(advice) == words


def test_the_flags_and_commands_are_there(cli):
    """Every word of the tables that looks like one is known to the program."""
    flags = {word for text in WORDS.values() for word in re.findall(r"(?<![\w{-])--[a-z-]+", text)}
    known = "".join(cli(command, "--help").out for command in ("run", "resume", "export", "sweep", "sweeps", "data"))
    known += cli("--help").out
    assert flags
    assert all(re.search(rf"{flag}\b", known) for flag in flags)
    commands = {match for text in WORDS.values() for match in re.findall(r"mnist-tui ([a-z]+)", text)}
    assert commands <= set(COMMANDS)


def test_the_data_that_a_command_prints_has_its_words_and_the_typed_advice(script):
    record = command_line_record(script.failed())
    assert record["hint"] == "use a lower --lr than 0.03772"
    assert record["advice"] == [{"action": "lower", "subject": "lr", "value": "0.03772"}]
    assert "hint" not in command_line_record(RunStopped(epoch=1, reason="SIGINT"))


def test_core_and_experiments_name_no_flag_no_command_and_no_key():
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno}: {word}"
        for package in ("core", "experiments")
        for path in (ROOT / package).rglob("*.py")
        for node in texts_of(ast.parse(path.read_text()))
        for word in OWN_WORDS.findall(node.value)
        if word not in ALLOWED.get(str(path.relative_to(ROOT)), ())
    }
    assert not found


def texts_of(tree: ast.Module) -> list[ast.Constant]:
    """The texts that a module may show somebody: all but docstrings, those of config fields not excepted, for they are
    shown as help."""
    docstrings = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [node for node in texts if node not in docstrings]


def test_the_help_of_a_field_is_the_same_everywhere():
    assert not [field for field, info in TrainConfig.model_fields.items() if OWN_WORDS.search(info.description or "")]
