"""The pages of docs/, the README and its companions keep up with the program."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import typer

from core.events import TrainEvent
from core.models.spec import GRAMMAR
from experiments.studies.events import SweepEvent
from tui.cli import app, load_command
from tui.command_line.exit_codes import ExitCode
from tui.commands import COMMANDS
from tui.screens.compare import CompareScreen
from tui.screens.draw import DrawScreen
from tui.screens.inspect import InspectScreen
from tui.screens.lab import LabScreen
from tui.screens.runs.screen import RunsScreen
from tui.screens.study import StudyScreen
from tui.screens.sweeps import SweepsScreen
from tui.screens.training import TrainingScreen
from tui.text.keys import MEANINGS, key, key_in_words

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
each_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


@each_page
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith(("https://", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


@each_page
def test_every_file_and_test_that_is_named_exists(page):
    file = ""
    for path, name in re.findall(
        r"[` ]((?:core|experiments|tui|tests|docs)/[\w./-]*\w/?)?(?:::(\w+))?", page.read_text()
    ):
        file = path or file
        assert not path or (ROOT / path).exists(), path
        assert not name or f"def {name}(" in text_of(file), f"{file}::{name}"


@each_page
def test_every_command_that_is_shown_has_its_options(page):
    for words in shown_commands(page.read_text()):
        command = typer.main.get_command(app)
        for word in words:
            if word in getattr(command, "commands", ()):
                command = load_command(word) if word in COMMANDS else command.commands[word]
            elif re.match("--?[a-z]", word):
                flags = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
                assert word in {*flags, "--help"}, words
        assert all(word in COMMANDS for word in words[:1] if not word.startswith("-")), words


def shown_commands(text: str) -> Iterator[list[str]]:
    """The words behind mnist-tui in the blocks of shell commands."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if found := re.match(r"(?:[\w-]*\$ )?mnist-tui\b([^|#>]*)", line):
                yield shlex.split(found[1])


def test_every_token_of_a_spec_is_explained():
    page = text_of("docs/specs.md")
    page = re.sub(r"<code>(.*?)</code>", r"`\1`", page).replace("&#124;", "|")  # a bar in a table
    examples = re.findall(r"\w\S*\(.*\)|\S+", "\n".join(GRAMMAR))
    assert [example for example in examples if f"`{example}`" not in page] == []


def test_every_exit_code_is_on_the_page_of_commands():
    table = text_of("docs/command-line.md").partition("| exit code |")[2].partition("\n\n")[0]
    assert sorted(map(int, re.findall(r"\b\d+\b", table))) == sorted(ExitCode)


@pytest.mark.parametrize("event", [*get_args(TrainEvent), *get_args(SweepEvent)], ids=lambda event: event.NAME)
def test_every_event_and_its_keys_are_on_the_page_of_formats(event):
    row = text_of("docs/file-formats.md").partition(f"| `{event.NAME}` |")[2].partition("\n")[0]
    assert {field.name for field in fields(event)} - {"run_id"} <= set(re.findall(r"`(\w+)`", row))


def test_every_package_is_in_the_drawing_of_the_architecture():
    drawing = text_of("docs/architecture.md").partition("```text")[2].partition("```")[0]
    folders = [path.parent for top in ("core", "experiments", "tui") for path in ROOT.glob(f"{top}/*/__init__.py")]
    assert folders
    assert [folder.name for folder in folders if not re.search(rf"\b{folder.name}\b", drawing)] == []


def test_the_page_of_commands_has_every_command_and_option():
    spec = importlib.util.spec_from_file_location("command_line_page", ROOT / "docs" / "command_line.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = page.on_page_markdown(text_of("docs/command-line.md"))
    assert page.PLACE not in text
    for name in COMMANDS:
        part = text.partition(f"\n## mnist-tui {name}\n")[2].partition("\n## ")[0]
        for option in load_command(name).params:
            assert all(flag in part for flag in option.opts if flag.startswith("-")), (name, option.opts)


@pytest.mark.parametrize(
    ("heading", "screen"),
    [
        ("Lab", LabScreen),
        ("Training", TrainingScreen),
        ("Runs", RunsScreen),
        ("Sweeps", SweepsScreen),
        ("Sweeps", StudyScreen),
        ("Inspect", InspectScreen),
        ("Draw", DrawScreen),
        ("Compare", CompareScreen),
    ],
)
def test_every_key_of_a_screen_is_on_the_page_of_the_interface(heading, screen):
    section = text_of("docs/interface.md").partition(f"\n## {heading}")[2].partition("\n## ")[0]
    keys = [key(binding.id) for binding in screen.BINDINGS if binding.show and binding.id != "back"]
    assert [name for name in keys if f"`{name}`" not in section] == []


def test_the_page_of_the_interface_has_every_key_and_its_meaning():
    section = text_of("docs/interface.md").partition("\n## Keys")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    written = [
        f"| `{name}` | {', '.join(f'`{key_in_words(each)}`' for each in keys.split(','))} | {words} |"
        for name, (keys, words) in MEANINGS.items()
    ]
    assert rows == written
