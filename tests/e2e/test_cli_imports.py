"""What a command imports: torch and textual take seconds, so only those that need them do."""

import json
import subprocess
import sys

import pytest

HEAVY = ["torch", "torchvision", "textual", "plotext", "optuna", "scipy", "numpy", "pandas"]

RUN_EACH = """
import contextlib, io, json, sys
from tui.cli import app
heavy, home, commands = json.loads(sys.argv[1])
found = {}
for words in commands:
    before = set(sys.modules)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            app(["--home", home, *words])
        except SystemExit as end:
            code = end.code
    found[" ".join(words)] = [code, sorted((set(sys.modules) - before) & set(heavy))]
print(json.dumps(found))
"""

IMPORT_ALL = """
import importlib, json, pkgutil, sys
for name in sys.argv[1].split():
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        importlib.import_module(module.name)
print(json.dumps(sorted(set(sys.argv[2].split()) & set(sys.modules))))
"""


def outcome_of(commands: list[list[str]], home: str) -> dict[str, list[object]]:
    """The exit code of each command and the heavy packages that were imported for it."""
    request = json.dumps([HEAVY, home, commands])
    done = subprocess.run([sys.executable, "-c", RUN_EACH, request], capture_output=True, text=True, check=True)
    answer: dict[str, list[object]] = json.loads(done.stdout)
    return answer


def test_what_needs_no_training_imports_neither_torch_nor_textual(tmp_path):
    commands = ["--help", "--version", "run --help", "archs", "archs --json", "archs show conv9", "runs", "runs --json"]
    commands += [
        "presets",
        "presets --json",
        "data --help",
        "doctor --help",
        "resume --help",
        "stop --help",
        "bench --help",
        "lr-find --help",
    ]
    outcome = outcome_of([words.split() for words in commands], str(tmp_path / "home"))
    assert outcome == {words: [0, []] for words in commands}


@pytest.mark.parametrize("command", ["--help", "runs", "runs --sort best --tag x", "show x", "rm x", "watch x"])
def test_what_only_looks_at_runs_imports_nothing_that_is_slow_to_import(command, tmp_path):
    code = "import sys\nfrom tui.cli import app\ntry:\n    app()\nexcept SystemExit:\n    print(*sys.modules)"
    words = [sys.executable, "-c", code, *(() if command == "--help" else ("--home", str(tmp_path))), *command.split()]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    slow = {"pydantic", "pydantic_core", "tqdm", "secrets", "fractions", "statistics", "psutil", "importlib.metadata"}
    assert slow & set(done.stdout.splitlines()[-1].split()) == set()


def test_wrong_usage_is_found_before_torch_is_imported(tmp_path):
    (tmp_path / "bad.toml").write_text("lr = 'x'")
    commands = {
        **dict.fromkeys(["frobnicate", "run --frobnicate", "run --lr nan", "run --lr -1", "run --epochs 0"], 2),
        **dict.fromkeys(["run --preset best", f"run --config {tmp_path}/bad.toml", "run --seeds 3-1"], 2),
        **dict.fromkeys(["run --arch c8", "run --arch conv10", "run --device tpu", "run --dataset cifar"], 2),
        **dict.fromkeys(["archs show c8", "archs show x9", "runs --sort x", "data path --dataset x"], 2),
        **dict.fromkeys(["run --dropout 0.1 --arch mine.py:Net", "run --nesterov --momentum 0", "bench --arch c8"], 2),
        **dict.fromkeys(["run --arch none.py:Net", "bench --device tpu"], 2),
        **dict.fromkeys(["lr-find --arch c8", "lr-find --low x", "lr-find --low 2 --high 1", "lr-find --steps 3"], 2),
        **dict.fromkeys(["run --epochs 21", "run --arch conv9 --max-params 9"], 3),
        **dict.fromkeys(["show nobody", "watch nobody", "rm nobody", "resume nobody", "stop nobody"], 5),
        "": 2,
    }
    outcome = outcome_of([words.split() for words in commands], str(tmp_path / "home"))
    assert outcome == {words: [code, []] for words, code in commands.items()}


def test_a_home_that_cannot_be_written_is_found_before_torch_is_imported(tmp_path):
    (tmp_path / "file").write_text("")
    outcome = outcome_of([["run", "--dataset", "mnist-5k"]], str(tmp_path / "file" / "home"))
    assert outcome == {"run --dataset mnist-5k": [2, []]}


def test_what_is_below_the_terminal_knows_nothing_of_it():
    words = [sys.executable, "-c", IMPORT_ALL, "core experiments", "textual textual_plotext plotext typer"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


RUN = """
import sys
import torch
of_torch = set(sys.modules)
from tui.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(set(sys.modules) - of_torch), file=sys.stderr)
"""
NOT_NEEDED = (
    *("torch._dynamo", "torch._inductor", "torch.distributed", "torch.fx", "torch.export", "torch.optim", "sympy"),
    *("torchvision", "torchinfo", "optuna", "scipy", "pandas", "PIL", "mlxtend", "textual", "plotext", "ray"),
    *("core.grouped", "core.engines.graph", "core.engines.compiled", "core.inspection", "tui.app", "tui.screens"),
    *("experiments.studies", "experiments.reports", "experiments.bench", "experiments.verification"),
    *("tui.live.session", "experiments.execution.replicate"),
)
"""What takes a run time, packages of others tenths of a second each, and is for other things."""
RECIPES = {
    "plain": (),
    "native and adam": ("--engine", "native", "--optimizer", "adam", "--schedule", "onecycle", "--ema"),
    "eager": ("--engine", "eager", "--clip-norm", "1", "--augment", "affine"),
    "muon": ("--optimizer", "muon", "--lr", "0.01", "--augment", "shift,erase", "--swa"),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_imports_of_torch_what_torch_itself_does_and_nothing_that_takes_long(tmp_path, recipe):
    of_run = ("--arch", "c4s3 gap fc10", "--dataset", "mnist-5k", "--epochs", "1", "--device", "cpu")
    few = ("--limit-train", "64", "--limit-test", "50", "--batch-size", "32")
    command = [sys.executable, "-c", RUN, "--home", str(tmp_path), "run", *of_run, *few, *RECIPES[recipe]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported = done.stderr.splitlines()[-1].split()
    assert "core.training.trainer" in imported
    assert [name for name in imported if name.startswith(NOT_NEEDED)] == []
