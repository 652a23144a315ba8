"""The Lab: networks, the spec as it is typed, values held against their limits, forks."""

from __future__ import annotations

import json
import re
import threading
import time
from multiprocessing import active_children

import pytest
from app_pilot import SLOW, SMALL, WIDE, make_run, opened, screen_text, wait_for, wait_for_text
from rich.text import Text
from stage import staged
from textual.widgets import Input, Static

from core.config import TrainConfig
from core.fields import GROUPS, NEEDS
from core.models.spec import GRAMMAR, REGISTRY
from experiments.runs.folder import Meta
from experiments.runs.own_code import remember_file
from tui.live.forms.fields import ADVANCED_FIELDS, MAIN_FIELDS, help_text, label, range_text
from tui.live.forms.module_file import module_problem
from tui.live.state import State
from tui.screens.lab import LabScreen
from tui.widgets.forms import spec_editor
from tui.widgets.forms.budget_meter import BudgetMeter
from tui.widgets.forms.completion import ListCompletion
from tui.widgets.forms.field_row import FieldRow
from tui.widgets.forms.form_parts import Fold
from tui.widgets.forms.run_form import RunForm
from tui.widgets.forms.spec_editor import SpecEditor
from tui.widgets.lines.line import Line
from tui.widgets.tables.table import Table


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_the_first_screen_shows_networks_budget_layers_values_and_how_to_start(tmp_path, size):
    async with opened(tmp_path, size) as pilot:
        text = screen_text(pilot)
    for part in (*REGISTRY, "19,458 of 20,000, 542 left", "Conv2d-1", "Learning rate", "0.03772", "ctrl+r", "Ready"):
        assert part in text


async def test_moving_through_the_list_shows_each_network(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        await pilot.press("down")
        text = screen_text(pilot)
    assert "18,138 of 20,000, 1,862 left" in text
    assert REGISTRY["conv5"] in text


async def test_the_table_follows_each_keystroke_and_an_error_names_the_token(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        editor = pilot.app.screen.query_one(SpecEditor)
        await pilot.press("down", "e", "backspace", "backspace", "backspace", "backspace")
        assert "32x3x3, not 10 logits" in screen_text(pilot)
        await pilot.press(*"c10")
        assert editor.summary.total_params == 18_138 + 20, "with the batch norm that l leaves out"
        await pilot.press(*"q")
        text = screen_text(pilot)
        assert "c10q at position 7" in text
        assert "Cannot start" in text


WRONG_SPECS = (
    ("c8 p2 c16", 5, "1,296 of 20,000, 18,704 left, so far"),  # only the ten logits are missing
    ("c8 p2 c16 xx gap", 5, "1,296 of 20,000, 18,704 left, so far"),
    ("c8 fc10 c8", 3, "so far"),
    ("c64 c64 p99", 4, "over the budget, so far"),
    ("c8 res(c8p1 c8p1", 6, "so far"),  # of an open bracket what is there yet
    ("c8 res(c8p1 c16", 6, "so far"),
    ("c8 res(c4 | c8k1 xx) fc10", 4, "so far"),  # the branch that is being written
    ("c8 rep2(c8 res(c4 xx", 6, "so far"),
    ("c8 res(c8p1) tie2(c4", 7, "so far"),
    ("c8 res(c9p1) fc10", 2, "so far"),
    ("xx", 0, ""),
    ("c8 p28 xx", 0, ""),  # what comes before the error does not fit either
    ("", 0, ""),
)
"""Specs, how many layers of each are shown, and what is said of their parameters."""


async def test_of_a_spec_that_is_wrong_only_its_own_layers_are_shown(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        screen = pilot.app.screen
        for spec, layers, words in WRONG_SPECS:
            screen.query_one("#spec", Input).value = spec  # as if pasted
            await pilot.pause()
            meter = screen.query_one(BudgetMeter)
            assert screen.query_one("#layers", Table).row_count == layers, spec
            assert words in meter.words
            assert bool(words) == bool(meter.words)


@pytest.mark.parametrize(
    ("spec", "underlined"),
    [
        (" c8  res(c8p1|c8kx ) fc10", "c8kx"),
        ("c8 res(c9p1) fc10", "res"),
        ("c8 res(c8p1", "res"),
        ("c8 ) fc10", ")"),
        ("c8 rep3(c8|c8) fc10", "|"),
        ("c8 gap fc9", "fc9"),
    ],
)
async def test_the_word_that_is_wrong_is_underlined_wherever_it_stands(tmp_path, spec, underlined):
    async with staged(LabScreen(), tmp_path) as pilot:
        editor = pilot.app.screen.query_one(SpecEditor)
        editor.put(spec)
        text = Text(spec)
        editor.query_one("#spec", Input).highlighter.highlight(text)
    (span,) = text.spans
    assert spec[span.start : span.end] == underlined == editor.error.token


async def test_the_help_explains_every_word_of_a_spec_with_none_of_them_broken(tmp_path):
    async with opened(tmp_path, SMALL) as pilot:
        await pilot.press("question_mark")
        await wait_for(pilot, lambda: pilot.app.screen.query(".word"))
        words = [str(entry.render()) for entry in pilot.app.screen.query(".word").results(Static)]
        assert set(GRAMMAR) <= set(words)
        widths = [entry.content_size.width for entry in pilot.app.screen.query(".word").results(Static)]
    assert max(len(word) for examples in GRAMMAR for word in examples.split()) <= min(widths)


async def test_the_button_has_its_words_in_a_terminal_s_own_colours_too(tmp_path):
    async with opened(tmp_path, ansi_color=True) as pilot:
        await pilot.press("e", "ctrl+u")
        await wait_for_text(pilot, "Cannot start")
        assert "Start  ctrl+r" in screen_text(pilot)


async def test_labels_are_apart_from_values_and_one_other_value_is_one(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        pilot.app.screen.query_one("#fold").focus()
        await pilot.press("enter")
        await wait_for_text(pilot, "Label smoothing 0")
        pilot.app.screen.query_one("#field-momentum").focus()
        await pilot.press(*"0.5")
        await wait_for_text(pilot, "1 not at its default")


async def test_an_engine_that_cannot_work_here_is_refused_in_the_form(tmp_path):
    import core.training.trainer  # noqa: F401  # as the app does once it is on the screen

    tmp_path.joinpath("state.json").write_text(json.dumps({"form": {"engine": "graph", "device": "cpu"}}))
    async with staged(LabScreen(), tmp_path) as pilot:
        words = " ".join(screen_text(pilot).replace("│", " ").split())
        assert (
            "Cannot start: Engine needs a CUDA device, not cpu (set Engine to auto, which takes the fastest)" in words
        )
        await pilot.press("ctrl+r")
    assert pilot.app.requests == []


async def test_a_network_over_the_budget_says_so_in_words_and_blocks_the_start(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        await pilot.press("e", "ctrl+u", *"c64 c64 gap fc10")
        text = screen_text(pilot)
        assert "38,4" in text
        assert "over the budget" in text
        assert pilot.app.screen.query_one(BudgetMeter).has_class("-over")
        await pilot.press("ctrl+r")
        await wait_for_text(pilot, "Cannot start")
    assert pilot.app.requests == []


async def test_a_typed_network_is_not_lost_by_looking_at_others(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        await pilot.press("e", "ctrl+u", *"c8 gap fc10", "escape", "up", "up")
        assert pilot.app.screen.query_one(SpecEditor).spec != "c8 gap fc10"
        await pilot.press("end")
        assert pilot.app.screen.query_one(SpecEditor).spec == "c8 gap fc10"


WRONG_VALUES = (
    ("lr", "0", "a number above 0 and at most 100"),
    ("lr", "fast", "a number above 0 and at most 100"),
    ("lr", "nan", "a number above 0 and at most 100"),
    ("batch_size", "60001", "a whole number at least 1 and at most 60,000"),
    ("epochs", "21", "at most 20 within the budget (raise Max epochs"),
    ("epochs", "", "a whole number"),
    ("seed", "5-2", "first-last, such as 0-9"),
    ("augment", "spin", "none, or some of shift, affine"),
)
"""Fields, what is typed into each, and what is said of it."""


async def test_a_wrong_value_is_told_with_what_is_allowed_as_it_is_typed(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        form = pilot.app.screen.query_one(RunForm)
        right = dict(form.texts)
        for field, typed, said in WRONG_VALUES:
            form.put(right)
            pilot.app.screen.query_one(f"#field-{field}").focus()
            await pilot.press("ctrl+u", "ctrl+k", *typed)
            await pilot.pause()
            words = " ".join(screen_text(pilot).replace("│", " ").split())
            assert "Cannot start" in words, field
            assert said in words
            await pilot.press("ctrl+r")
    assert pilot.app.requests == []


async def test_ctrl_r_starts_what_the_form_says(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        await pilot.press("down", "v", *"0.05", "down", *"64", "ctrl+r")
        await wait_for(pilot, lambda: pilot.app.requests)
    ((plan,),) = (request.specs for request in pilot.app.requests)
    assert (plan.config.arch, plan.config.lr, plan.config.batch_size) == ("conv5", 0.05, 64)


async def test_a_range_of_seeds_is_a_group_of_runs(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        pilot.app.screen.query_one("#field-seed").focus()
        await pilot.press(*"0-2")
        pilot.app.screen.query_one("#field-name").focus()
        await pilot.press(*"try", "ctrl+r")
        await wait_for(pilot, lambda: pilot.app.requests)
    (started,) = (request.specs for request in pilot.app.requests)
    assert [plan.config.seed for plan in started] == [0, 1, 2]
    assert [plan.meta.name for plan in started] == ["try-0", "try-1", "try-2"]
    assert len({plan.meta.group_id for plan in started}) == 1


async def test_a_preset_fills_the_form_and_ones_own_values_come_back(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        form = pilot.app.screen.query_one(RunForm)
        await pilot.press("v", *"0.5")
        pilot.app.screen.query_one("#preset").focus()
        await pilot.press("right")
        assert form.texts["lr"] == "0.03772"
        await pilot.press("left")
        assert form.texts["lr"] == "0.5"


async def test_advanced_fields_unfold_and_are_checked_too(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        pilot.app.screen.query_one("#fold").focus()
        await pilot.press("enter")
        await wait_for_text(pilot, "Momentum")
        pilot.app.screen.query_one("#field-momentum").focus()
        await pilot.press("ctrl+u", "ctrl+k", *"1.5")
        words = " ".join(screen_text(pilot).replace("│", " ").split())
    assert "Momentum must be a number at least 0 and below 1" in words


async def test_values_are_remembered_wrong_ones_too_and_a_damaged_memory_is_forgotten(tmp_path):
    async with opened(tmp_path) as pilot:
        await pilot.press("v", *"0.7", "e")
        pilot.app.screen.query_one("#spec").focus()
        await pilot.press("end", *" c10q")
        pilot.app.save_state()
    async with opened(tmp_path) as pilot:
        assert pilot.app.screen.query_one(RunForm).texts["lr"].startswith("0.7")
        assert "c10q at position" in screen_text(pilot)
        pilot.app.screen.query_one(RunForm).take("lr", "fast")
        await pilot.pause()
        pilot.app.save_state()
    async with opened(tmp_path) as pilot:
        await wait_for_text(pilot, "Cannot start")
        assert "of 20,000" in screen_text(pilot), "the budget has nothing to do with what is wrong"
    for damage in ("", "{", "[]", '{"form": 3, "theme": 4}', json.dumps({"form": {"lr": 7}, "theme": "no such"})):
        (tmp_path / "state.json").write_text(damage)
        async with opened(tmp_path) as pilot:
            assert "Ready" in screen_text(pilot)


async def test_a_fork_brings_the_config_and_marks_what_is_changed(tmp_path, script):
    config = {"lr": 0.2, "batch_size": 32, "arch": "conv5"}
    make_run(tmp_path, script, script.started(config=config), script.stopped(), **config)
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "conv5")
        await pilot.press("f")
        await wait_for_text(pilot, "0 changes")
        form = pilot.app.screen.query_one(RunForm)
        assert (form.texts["lr"], form.texts["batch_size"]) == ("0.2", "32")
        assert REGISTRY["conv5"] in screen_text(pilot)
        assert "0 changes" in screen_text(pilot)
        await pilot.press(*"0.3")
        text = screen_text(pilot)
        assert "1 change" in text
        assert "* Learning rate" in text
        assert "The original has 0.2" in text


async def test_of_a_long_value_in_a_fork_the_beginning_shows_and_typing_replaces_it(tmp_path, script):
    config = {"lr": 0.1548813503927325, "weight_decay": 0.00012345678901234567}
    run = make_run(tmp_path, script, script.started(config=config), script.stopped(), **config)
    async with staged(LabScreen(), tmp_path, SMALL) as pilot:
        form = pilot.app.screen.query_one(RunForm)
        pilot.app.screen.query_one("#fold").focus()
        await pilot.press("enter")
        await wait_for_text(pilot, "Momentum")  # what is unfolded scrolls into view
        await pilot.press("v")
        pilot.app.screen.load_fork(run, "long")
        await wait_for_text(pilot, "0.15488135")
        assert form.texts["lr"] == "0.1548813503927325"
        pilot.app.screen.query_one("#field-weight_decay").focus()
        await wait_for_text(pilot, "0.000123456")
        pilot.app.screen.query_one("#field-lr").focus()
        await pilot.press(*"0.3")
        await wait_for_text(pilot, "1 change")
        assert form.texts["lr"] == "0.3"
        pilot.app.screen.query_one("#field-weight_decay").focus()
        await pilot.press("right", *"9")
        assert form.texts["weight_decay"] == "0.000123456789012345679"


async def test_a_fork_of_a_run_with_brackets_in_its_name_shows_them(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.stopped(), meta=Meta("x[/y] [b"))
    async with staged(LabScreen(), tmp_path) as pilot:
        pilot.app.screen.load_fork(run, run.meta().name)
        await wait_for_text(pilot, "Fork of x[/y] [b")


async def test_coming_back_leaves_the_field_so_that_digits_lead_on(tmp_path):
    async with opened(tmp_path) as pilot:
        assert "Leave field" not in screen_text(pilot)
        await pilot.press("v")
        await wait_for_text(pilot, "Leave field")
        assert "F3 Training" in screen_text(pilot)
        await pilot.press("f4", "1")
        await wait_for_text(pilot, "2 Training")
        await pilot.press("3")
        assert pilot.app.current_mode == "runs"
        assert pilot.app.state.form["lr"] == "0.03772"


async def test_the_help_of_the_epochs_has_the_budget(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        pilot.app.screen.query_one("#field-epochs").focus()
        await wait_for_text(pilot, "20 within the budget")


async def test_the_help_of_every_field_is_there_to_its_last_word(tmp_path):
    """In a fork whose every field is changed, which has most to say, and in a small window, which has least room."""
    original = {"lr": 0.000123456, "max_epochs": 10, "seed": 2_147_483_647, "val_split": 12_345, "engine": "compile"}
    async with staged(LabScreen(), tmp_path, SMALL) as pilot:
        screen = pilot.app.screen
        form, shown = screen.query_one(RunForm), screen.query_one("#help")
        form.compare_with({field: f"{original.get(field, 0.125)}" for field in form.texts})
        screen.query_one("#fold").focus()
        await pilot.press("enter")
        await wait_for_text(pilot, "Momentum")
        for field in (*MAIN_FIELDS, *ADVANCED_FIELDS, "name"):
            screen.query_one(f"#field-{field}").focus()
            await pilot.pause()
            region = shown.content_region
            lines = screen_text(pilot).splitlines()[region.y : region.bottom]
            words = " ".join(" ".join(line[region.x : region.right] for line in lines).split())
            expected = [help_text(field), range_text(field)]
            expected += [f"The original has {original.get(field, 0.125)}."] if field in form.changes else []
            assert all(part in words for part in expected), (field, words)


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (None, "Net", "there is no file net.py in "),
        ("class Net: pass", "", "name a class after the colon; it has Net"),
        ("class Net: pass\nclass Other: pass", "Nett", "net.py has no class Nett; it has Net, Other"),
        ("def f():\n    class Net: pass", "Net", "it has no class"),
        ("class Net(:\n", "Net", "net.py, line 1 is not Python"),
        ("class Net: pass", "Net", ""),
        ("try:\n    from torch.nn import Linear as Net\nexcept ImportError:\n    Net = None", "Net", ""),
        ("from torch.nn import *", "Net", ""),
        ("class Net: pass", "Net(width=12, norm='a,b')", ""),
        ("class Net: pass", "Net(width=W)", "W is not a literal"),
        ("class Net: pass", "Net(", "Net( is not the name of a network"),
        ("def small(): pass\nnet = small()", "small()", ""),
        ("net = 3", "net", ""),
        ("class Nets:\n    class Net: pass", "Nets.Net", ""),
    ],
)
def test_a_module_of_ones_own_is_looked_at_without_running_it(tmp_path, content, name, said):
    file = tmp_path / "net.py"
    if content is not None:
        file.write_text(f"{content}\nraise SystemExit('it was run')\n")
    problem = module_problem(f"{file}:{name}")
    assert said in problem
    assert bool(said) == bool(problem)


@pytest.mark.parametrize(("name", "said"), [("Net", ""), ("", "it has Net"), ("Nett", "has no class Nett; it has Net")])
def test_a_notebook_is_looked_at_without_running_it(tmp_path, name, said):
    file = tmp_path / "lesson.ipynb"
    cells = [
        "!pip install x\n%matplotlib inline",
        "class Net:\n    pass",
        "raise SystemExit('it was run')",
        "no Python",
    ]
    file.write_text(json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]}))
    problem = module_problem(f"{file}:{name}")
    assert said in problem
    assert bool(said) == bool(problem)
    file.write_text("{}")
    assert module_problem(f"{file}:Net") == "lesson.ipynb is not a notebook"


async def test_the_field_for_modules_of_ones_own_is_shown_for_these_alone(tmp_path):
    (tmp_path / "net.py").write_text("class Net: pass\n")
    async with staged(LabScreen(), tmp_path, size=(120, 60)) as pilot:
        pilot.app.screen.query_one(Fold).action_unfold()
        await wait_for(pilot, lambda: pilot.app.screen.query("#row-run_whole_file"))
        row = pilot.app.screen.query_one("#row-run_whole_file")
        await wait_for(pilot, lambda: not row.display)
        pilot.app.screen.query_one(SpecEditor).query_one("#spec").value = f"{tmp_path / 'net.py'}:Net(3)"
        await wait_for(pilot, lambda: row.display)
        pilot.app.screen.query_one(SpecEditor).query_one("#spec").value = "conv9"
        await wait_for(pilot, lambda: not row.display)


async def test_a_module_that_is_not_there_blocks_the_start_until_it_is(tmp_path):
    file = tmp_path / "net.py"
    async with staged(LabScreen(), tmp_path) as pilot:
        await pilot.press("e", "ctrl+u", *f"{file}:Net")
        words = " ".join(screen_text(pilot).replace("│", " ").split())
        assert "Cannot start: there is no file net.py in" in words
        await pilot.press("ctrl+r")
        file.write_text("class Net: pass\n")
        await pilot.press("ctrl+r")
        await wait_for(pilot, lambda: pilot.app.requests)
    (request,) = pilot.app.requests
    assert [plan.config.arch for plan in request.specs] == [f"{file}:Net"]


OWN = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 8, 3, stride=3, bias=False), nn.Linear(8, 10)

    def forward(self, x):
        x = self.conv(x).relu().mean((2, 3))
        return self.head(x).log_softmax(1)

class Other(Net):
    def forward(self, x):
        return super().forward(x).exp()
"""


UNUSED = """
class Unused(Net):
    def __init__(self):
        super().__init__()
        self.old = nn.Linear(5, 4, bias=False)


"""


async def test_a_module_of_ones_own_is_written_as_a_spec(tmp_path):
    (tmp_path / "net.py").write_text(OWN)
    async with staged(LabScreen(), tmp_path) as pilot:
        screen = pilot.app.screen
        assert "As a spec" not in screen_text(pilot)
        screen.query_one("#spec", Input).value = f"{tmp_path / 'net.py'}:Net"
        await pilot.pause()
        await wait_for_text(pilot, "As a spec")
        await pilot.press("S")
        await wait_for(pilot, lambda: screen.query_one(SpecEditor).spec == "c8s3b0n gap fc10")
        await wait_for_text(pilot, "the log_softmax at the end is left out")
        assert screen.query_one(SpecEditor).summary.total_params == 72 + 90
        assert "As a spec" not in screen_text(pilot)


async def test_a_layer_that_a_module_never_uses_is_named_and_counted(tmp_path):
    (tmp_path / "net.py").write_text(OWN.replace("class Other", UNUSED + "class Other", 1))
    async with staged(LabScreen(), tmp_path) as pilot:
        screen = pilot.app.screen
        screen.query_one("#spec", Input).value = f"{tmp_path / 'net.py'}:Unused"
        await wait_for(pilot, lambda: (found := screen.query_one(SpecEditor).summary) is not None and found.unused)
        line = screen.query_one("#spec-error", Static)
        assert str(line.content).startswith("forward never uses old (20 parameters), which counts in the budget")
        await wait_for(pilot, lambda: line.size.height > 0)
        assert screen.query_one(SpecEditor).problem == ""
        assert "182 of 20,000" in screen_text(pilot)


async def test_what_keeps_a_module_from_being_a_spec_is_said(tmp_path):
    (tmp_path / "net.py").write_text(OWN)
    async with staged(LabScreen(), tmp_path) as pilot:
        arch = pilot.app.screen.query_one("#spec", Input).value = f"{tmp_path / 'net.py'}:Other"
        await pilot.pause()
        await pilot.press("S")
        await wait_for_text(pilot, "net.py:15: exp is not a layer of a spec")
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.screen.query_one(SpecEditor).spec == arch


async def test_a_module_that_never_returns_is_given_up_when_another_is_typed(tmp_path):
    (tmp_path / "net.py").write_text(OWN)
    (tmp_path / "endless.py").write_text("class Net:\n    while True:\n        pass\n")
    async with staged(LabScreen(), tmp_path) as pilot:
        screen = pilot.app.screen
        field = screen.query_one("#spec", Input)
        field.value = f"{tmp_path / 'endless.py'}:Net"
        await pilot.pause()
        await pilot.press("S")
        await wait_for_text(pilot, "Looking for the spec")
        field.value = f"{tmp_path / 'net.py'}:Net"
        await wait_for_text(pilot, "As a spec")
        assert "Looking for the spec" not in screen_text(pilot)
        await pilot.press("S")
        await wait_for(pilot, lambda: screen.query_one(SpecEditor).spec == "c8s3b0n gap fc10")


async def test_leaving_does_not_wait_for_a_module_that_never_returns(tmp_path):
    (tmp_path / "endless.py").write_text("class Net:\n    while True:\n        pass\n")
    async with staged(LabScreen(), tmp_path) as pilot:
        pilot.app.screen.query_one("#spec", Input).value = f"{tmp_path / 'endless.py'}:Net"
        await pilot.pause()
        await pilot.press("S")
        await wait_for(pilot, lambda: [child for child in active_children() if child.name == "own module"])
    deadline = time.monotonic() + 20
    while [child for child in active_children() if child.name == "own module"]:
        assert time.monotonic() < deadline, "its process goes on"
        time.sleep(0.05)


COUNTED = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.old, self.head = nn.Conv2d(1, 4, 5, stride=3), nn.Linear(3, 3), nn.Linear(256, 10)
    def forward(self, x):
        return self.head(self.conv(x).flatten(1))
"""


async def test_a_module_that_is_typed_is_counted_in_the_background(tmp_path, monkeypatch):
    monkeypatch.setattr(spec_editor, "PAUSE", 0.05)
    file = tmp_path / "net.py"
    file.write_text(COUNTED)
    async with staged(LabScreen(), tmp_path) as pilot:
        await pilot.press("e", "ctrl+u", *f"{file}:Net")
        await wait_for_text(pilot, "2,686 of 20,000, 17,314 left")
        text = screen_text(pilot)
        for part in ("Conv2d-1", "4x8x8", "104", "Linear-3", "not called", "Ready"):
            assert part in text
        await wait_for(pilot, lambda: len(re.findall("✓  your own +2,686", screen_text(pilot))) == 1)
        file.write_text(COUNTED.replace("super().__init__()", "super().__init__(); import os; os._exit(3)"))
        await pilot.press("enter", "e")
        await pilot.press("enter")
        await wait_for_text(pilot, "left with exit code 3")
        assert "parameters are counted when the run starts" not in screen_text(pilot)


async def test_a_module_over_the_budget_cannot_be_started_once_it_is_counted(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(COUNTED.replace("nn.Linear(3, 3)", "nn.Linear(300, 300)"))
    async with staged(LabScreen(), tmp_path) as pilot:
        pilot.app.screen.query_one("#spec", Input).value = f"{file}:Net"
        pilot.app.screen.action_edit()
        await pilot.press("enter")
        await wait_for_text(pilot, "72,974 over the budget")
        await wait_for_text(pilot, "Cannot start: 92,974 parameters")
        assert re.search("✗  your own +92,974", screen_text(pilot))


async def test_enter_counts_a_module_again_whose_other_files_may_have_changed(tmp_path):
    beside = tmp_path / "widths.py"
    (tmp_path / "net.py").write_text(
        "from widths import OLD\n" + COUNTED.replace("nn.Linear(3, 3)", "nn.Linear(OLD, 3)")
    )
    beside.write_text("NEW = 3\n")
    async with staged(LabScreen(), tmp_path) as pilot:
        pilot.app.screen.query_one("#spec", Input).value = f"{tmp_path / 'net.py'}:Net"
        pilot.app.screen.action_edit()
        await pilot.press("enter")
        await wait_for_text(pilot, "OLD")
        beside.write_text("OLD = 4\n")
        pilot.app.screen.action_edit()
        await pilot.press("enter")
        await wait_for_text(pilot, "2,689 of 20,000")


async def test_a_module_that_was_named_here_is_counted_wherever_it_comes_from(tmp_path, script):
    file = tmp_path / "net.py"
    file.write_text(COUNTED)
    arch = f"{file}:Net"
    async with staged(LabScreen(), tmp_path) as pilot:
        await pilot.press("e", "ctrl+u", *arch, "enter")
        await wait_for_text(pilot, "2,686 of 20,000, 17,314 left")
        pilot.app.state.save(tmp_path / "state.json")
    file.write_text(COUNTED.replace("nn.Linear(3, 3)", "nn.Linear(3, 4)"))
    async with staged(LabScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "2,690 of 20,000")
        pilot.app.screen.take_network("conv5")
        pilot.app.screen.load_fork(make_run(tmp_path, script, arch=arch), "run")
        await wait_for_text(pilot, "2,690 of 20,000")


async def test_a_stored_form_runs_no_file_that_was_never_named_nor_one_that_others_can_change(tmp_path, monkeypatch):
    monkeypatch.setattr(spec_editor, "PAUSE", 0.05)
    file = tmp_path / "net.py"
    file.write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')\n{COUNTED}")
    arch = f"{file}:Net"
    State(form={"arch": arch}).save(tmp_path / "state.json")
    async with staged(LabScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "parameters are counted when the run starts")
        await pilot.pause(0.3)
        assert "parameters are counted when the run starts" in screen_text(pilot)
    remember_file(arch)
    file.chmod(0o666)
    async with staged(LabScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "parameters are counted when the run starts")
        await pilot.pause(0.3)
        assert "parameters are counted when the run starts" in screen_text(pilot)
    assert not (tmp_path / "was-run").exists()


async def test_a_module_of_a_run_is_not_run_for_a_table(tmp_path, script):
    file = tmp_path / "net.py"
    file.write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')\n{COUNTED}")
    async with staged(LabScreen(), tmp_path) as pilot:
        pilot.app.screen.load_fork(make_run(tmp_path, script, arch=f"{file}:Net"), "run")
        await pilot.pause(0.3)
        assert "parameters are counted when the run starts" in screen_text(pilot)
    assert not (tmp_path / "was-run").exists()


def shown_fields(pilot) -> set[str]:
    return {row.field for row in pilot.app.screen.query(FieldRow).results(FieldRow) if row.display}


def shown_titles(pilot) -> list[str]:
    lines = pilot.app.screen.query("#advanced > Line").results(Line)
    return [line.text for line in lines if line.display]


async def unfold(pilot) -> None:
    pilot.app.screen.query_one(Fold).action_unfold()
    await wait_for(pilot, lambda: pilot.app.screen.query_one(RunForm).unfolded)


async def test_only_fields_that_make_a_difference_are_shown_under_the_titles_of_their_groups(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        form = pilot.app.screen.query_one(RunForm)
        await unfold(pilot)
        assert {"momentum", "nesterov", "weight_decay", "warmup_epochs", "ema", "device"} <= shown_fields(pilot)
        assert not {"beta1", "alpha", "warmup", "step_size", "shift", "ema_decay", "temperature"} & shown_fields(pilot)
        assert shown_titles(pilot)[:3] == ["Optimizer: sgd", "Schedule: constant", "Regularization"]
        assert "Augmentation: none" not in shown_titles(pilot), "it has no field"
        for field, value, comes, goes in (
            ("optimizer", "adam", {"beta1", "beta2", "eps"}, {"momentum", "nesterov"}),
            ("schedule", "onecycle", {"warmup", "div_factor", "cycle_momentum"}, {"warmup_epochs"}),
            ("cycle_momentum", "on", {"base_momentum", "max_momentum"}, {"beta1"}),
            ("augment", "rotate + erase", {"rotation", "erase", "erase_chance"}, {"shift"}),
            ("ema", "on", {"ema_decay"}, set()),
            ("teacher", "latest", {"teacher_weight", "temperature"}, set()),
            ("budget", "off", set(), {"max_params", "max_epochs"}),
        ):
            before = shown_fields(pilot)
            form.take(field, value)
            await pilot.pause()
            assert comes.isdisjoint(before), field
            assert comes <= shown_fields(pilot), field
            assert goes.isdisjoint(shown_fields(pilot)), field
        form.take("schedule", "cosine")
        await pilot.pause()
        assert not {"base_momentum", "cycle_momentum"} & shown_fields(pilot), "nor what depends on a hidden choice"


def test_a_field_that_depends_on_a_choice_stands_below_it_and_none_is_left_out():
    fields = [field for group in GROUPS.values() for field in group]
    assert sorted(fields) == sorted(TrainConfig.model_fields)
    for field, (chooser, _) in NEEDS.items():
        assert fields.index(chooser) < fields.index(field)
        assert any(field in group and chooser in group for group in GROUPS.values()), field
    assert all(len(label(field)) <= 15 for field in fields), "there is no room for more before the value"


async def test_a_hidden_field_keeps_its_text_and_is_shown_while_it_is_wrong(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        form = pilot.app.screen.query_one(RunForm)
        await unfold(pilot)
        form.take("optimizer", "adam")
        form.take("beta1", "1.5")
        await wait_for_text(pilot, "Beta1 must be")
        form.take("optimizer", "sgd")
        await pilot.pause()
        assert "beta1" in shown_fields(pilot), "it stands in the way of a start"
        field = pilot.app.screen.query_one("#field-beta1")
        field.focus()
        await pilot.press("ctrl+u", "ctrl+k", "0")
        await wait_for_text(pilot, "Ready")
        assert "beta1" in shown_fields(pilot), "while it is being typed"
        await pilot.press(*".7")
        pilot.app.screen.query_one("#field-lr").focus()
        await pilot.press("end", "0")
        await pilot.pause()
        assert "beta1" not in shown_fields(pilot)
        form.take("optimizer", "adam")
        await pilot.pause()
        assert (field.value, field.region.height) == ("0.7", 1)


async def test_what_a_fork_changes_is_never_hidden_and_counted(tmp_path, script):
    config = {"optimizer": "adam", "beta1": 0.8}
    run = make_run(tmp_path, script, script.started(config=config), script.stopped(), **config)
    async with staged(LabScreen(), tmp_path) as pilot:
        form = pilot.app.screen.query_one(RunForm)
        await unfold(pilot)
        pilot.app.screen.load_fork(run, "it")
        form.take("beta1", "0.7")
        form.take("optimizer", "sgd")
        await wait_for_text(pilot, "Fork of it, 2 changes")
        assert "beta1" in shown_fields(pilot)
        assert "beta2" not in shown_fields(pilot)
        row = pilot.app.screen.query_one("#row-beta1")
        assert row.has_class("-changed")
        form.take("beta1", "0.8")
        await wait_for_text(pilot, "Fork of it, 1 change")
        assert "beta1" not in shown_fields(pilot)


async def test_a_list_of_augmentations_is_completed_word_by_word(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        form = pilot.app.screen.query_one(RunForm)
        field = pilot.app.screen.query_one("#field-augment")
        field.focus()
        await pilot.press(*"aff")
        await wait_for(pilot, lambda: field._suggestion == "affine")
        await pilot.press("right", *",er")
        await wait_for(pilot, lambda: field._suggestion == "affine,erase")
        await pilot.press("right")
        assert form.texts["augment"] == "affine,erase"
    words = ListCompletion(("affine", "erase", "elastic"))
    for typed, completed in {
        "": None,
        "x": None,
        "erase": None,
        "erase, e": "erase, elastic",
        "e+ a": "e+ affine",
    }.items():
        assert await words.get_suggestion(typed) == completed


async def test_a_data_set_is_chosen_by_left_and_right_or_typed(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        form, field = pilot.app.screen.query_one(RunForm), pilot.app.screen.query_one("#field-dataset")
        field.focus()
        await pilot.pause()
        seen = []
        for key in ("right", "right", "left", "left", "left", "right"):
            await pilot.press(key)
            seen.append(form.texts["dataset"])
        assert seen == ["mnist", "fashion", "mnist", "auto", "emnist", "auto"]
        await pilot.press(*"./mine", "left", "delete", "n")  # edited, not turned
        assert form.texts["dataset"] == "./minn"
        await pilot.press("home", "shift+end", "right", "right", "left", "left")
        assert form.texts["dataset"] == "./minn", "what was typed is one of the choices"
        await pilot.press(*"emnist-l")
        await wait_for(pilot, lambda: field._suggestion == "emnist-letters")
        await pilot.press("right")
        assert form.texts["dataset"] == "emnist-letters"


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_the_schedule_is_drawn_as_it_is_edited(tmp_path, size):
    async with staged(LabScreen(), tmp_path, size) as pilot:
        curve = pilot.app.screen.query_one("#curve")
        assert curve.display == (size == WIDE)
        await pilot.press("v")
        await wait_for(pilot, lambda: "20 epochs" in screen_text(pilot) and "0.0377" in screen_text(pilot))
        flat = str(curve.render())
        schedule = pilot.app.screen.query_one("#field-schedule")
        schedule.focus()
        await pilot.press("o")
        await wait_for(pilot, lambda: "1.51e-07" in screen_text(pilot))
        assert str(curve.render()) != flat
        assert schedule.region in pilot.app.screen.query_one("#fields").region, "it is not scrolled out of sight"
        await pilot.press("p")
        await wait_for_text(pilot, "drops unknown")
        form = pilot.app.screen.query_one(RunForm)
        form.take("lr", "fast")
        await wait_for(pilot, lambda: not str(curve.render()))  # no curve rather than one that is no more
        form.take("batch_size", "many")
        form.take("lr", "0.25")
        await wait_for(pilot, lambda: "0.25 ▏" in str(curve.render()))
        pilot.app.screen.query_one("#field-name").focus()
        await wait_for(pilot, lambda: curve.display == (size == WIDE))


async def test_the_field_that_is_edited_stays_in_sight_in_a_window_that_gets_smaller(tmp_path):
    async with staged(LabScreen(), tmp_path) as pilot:
        name, fields = (pilot.app.screen.query_one(one) for one in ("#field-name", "#fields"))
        name.focus()
        await pilot.resize_terminal(*SMALL)
        await wait_for(pilot, lambda: fields.region.bottom < SMALL[1])
        await pilot.resize_terminal(SMALL[0], 20)
        await wait_for(pilot, lambda: fields.region.height < 9)
        await wait_for(pilot, lambda: name.region in fields.region)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_range_test_draws_the_loss_and_enter_puts_its_rate_into_the_field(tmp_path, size, monkeypatch):
    monkeypatch.setattr("core.training.range_curve.LEAST_STEPS", 30)
    form = {"dataset": "mnist-5k", "limit_train": "1280", "batch_size": "64", "device": "cpu"}
    tmp_path.joinpath("state.json").write_text(json.dumps({"form": form | {"arch": "p2 fc32 fc10"}}))
    async with staged(LabScreen(), tmp_path, size) as pilot:
        texts = pilot.app.screen.query_one(RunForm).texts
        await pilot.press("L")
        await wait_for_text(pilot, "Loss while the learning rate rises")
        await wait_for(pilot, lambda: "Suggested: " in screen_text(pilot), 100)
        text = screen_text(pilot)
        rate = re.search(r"Suggested: (\S+), where", text)[1]
        assert re.search("[⠁-⣿]{3}", text)
        assert "enter puts it into the field" in text
        assert f"{rate}" in text.partition("Suggested")[0], "it is marked"
        await pilot.press("enter")
        await wait_for(pilot, lambda: texts["lr"] == rate)
        assert pilot.app.screen.focused.id == "field-lr"
        assert pilot.app.screen.query_one("#field-lr").value == rate


async def test_escape_gives_a_range_test_up_and_leaves_the_field_as_it_was(tmp_path):
    tmp_path.joinpath("state.json").write_text(json.dumps({"form": SLOW | {"lr": "0.123"}}))
    async with staged(LabScreen(), tmp_path) as pilot:
        await pilot.press("v", "ctrl+l")
        await wait_for(pilot, lambda: "learning rate 0.0" in screen_text(pilot), 100)
        (search,) = [thread for thread in threading.enumerate() if thread.name == "lr-find"]
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        assert not search.is_alive(), "a run that is begun now has torch to itself"
        assert pilot.app.screen.query_one(RunForm).texts["lr"] == "0.123"


async def test_a_range_test_says_what_is_in_its_way(tmp_path, no_network):
    form = {"dataset": "kmnist", "device": "cpu"}
    tmp_path.joinpath("state.json").write_text(json.dumps({"form": form}))
    async with staged(LabScreen(), tmp_path) as pilot:
        await pilot.press("L")
        await wait_for(pilot, lambda: "kmnist" in screen_text(pilot) and "esc cancels" in screen_text(pilot), 100)
        await pilot.press("enter")
        assert not isinstance(pilot.app.screen, LabScreen), "there is nothing to take"
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(pilot.app.screen, LabScreen))
        pilot.app.screen.query_one(RunForm).take("lr", "0")
        await pilot.press("L")
        await wait_for_text(pilot, "No range test")


async def test_in_the_smallest_window_the_footer_has_the_range_test_wherever_one_is(tmp_path):
    async with staged(LabScreen(), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "L Find rate")
        await pilot.press("v")
        await wait_for_text(pilot, "^l Find rate")
        assert "^o Detached" in screen_text(pilot).splitlines()[-1]
        await pilot.press(*["down"] * 3)
        await wait_for(pilot, lambda: "L Find rate" in screen_text(pilot).splitlines()[-1])
        assert "esc Leave field" in screen_text(pilot).splitlines()[-1]
