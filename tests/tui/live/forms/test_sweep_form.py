"""A new sweep as it is typed: what is wrong, in terms of the dialog, and with which of its fields."""

from __future__ import annotations

import pytest
from app_pilot import SMALL, WIDE, opened, screen_text, wait_for, wait_for_text
from stage import staged
from sweep_tools import tiny_plan
from textual import events

from core.config import TrainConfig
from core.errors import InvalidValue
from experiments.locations import Locations
from tui.live.forms.sweep_form import check_sweep
from tui.screens.form_dialog import FormDialog, Problem
from tui.screens.sweep_dialogs import AddTrial, NewSweep
from tui.widgets.forms.field_row import FieldRow

TEXTS = {"study": "s", "space": "--lr 0.1,0.2", "trials": "5", "epochs": "3", "jobs": ""}
TEXTS |= {"objective": "val", "sampler": "tpe", "pruner": "none", "seeds_per_trial": "1", "race": "0"}
WRONG = (
    ({"epochs": "200"}, "epochs", "epochs = 200: at most 20 within the budget."),
    ({"space": "--lr 0.1,0.2 --epochs 200"}, "space", "at most 20 within the budget."),
    ({"space": "--lr 0.1,0.2 --epochs x"}, "space", "epochs = x: must be a whole number"),
    ({"space": "--arch 'c64p1 c64p1 gap fc10'  --lr 0.1,0.2"}, "space", "put a higher --max-params into Space"),
    ({"space": "--sampler grid --lr 0.1,0.2"}, "space", "has a field of its own, Sampler below"),
    ({"space": "--study x"}, "space", "has a field of its own, Study above"),
    ({"space": "--lr 0.1,0.2 --device"}, "space", "takes one value. For example --device auto."),
    ({"space": "--lr 0.1,0.2 --val-split 0"}, "space", "or choose test as Objective"),
    ({"space": "--lr 0.1,0.2 --engine graph --device cpu"}, "space", "Put --engine auto into Space"),
    ({"study": "a b"}, "study", "For example first-try."),
    ({"trials": "x"}, "trials", "For example 1."),
    ({"jobs": "0"}, "jobs", "For example 1."),
    ({"seeds_per_trial": "0"}, "seeds_per_trial", "For example 1."),
    ({"race": "1"}, "race", "a race needs at least two. For example 4, or 0 for none."),
    ({"race": "x"}, "race", "For example 0."),
    ({"space": "--race 4 --lr 0.1,0.2"}, "space", "has a field of its own, Race below"),
    ({"objective": "val,params", "pruner": "median"}, "pruner", "Use none or early-signal."),
    ({"sampler": "grid", "space": "--lr 0.1:0.2"}, "space", "a grid needs a finite number of values"),
)


async def fill(pilot, dialog: FormDialog, texts: dict[str, str]) -> str:
    """What the dialog says of texts."""
    for row in dialog.query(FieldRow):
        row.put(texts[row.field])
    dialog.judge()
    await pilot.pause()
    return dialog.query_one(Problem)._said


@pytest.mark.parametrize("size", [WIDE, SMALL, (60, 20)], ids=["120x40", "80x24", "60x20"])
async def test_what_is_wrong_is_on_the_screen_and_the_field_at_fault_is_marked(tmp_path, size):
    import core.training.trainer  # noqa: F401  # as the app does once it is on the screen

    locations = Locations.resolve(tmp_path, tmp_path / "data")
    dialog = NewSweep(locations, TrainConfig(val_split=50, limit_train=5000, limit_test=100), "s")
    async with staged(dialog, tmp_path, size) as pilot:
        for texts, field, words in WRONG:
            said = await fill(pilot, dialog, TEXTS | texts)
            assert words in said
            assert [row.field for row in dialog.query(FieldRow) if row.has_class("-wrong")] == [field]
            shown = screen_text(pilot)
            lines = dialog.query_one(Problem)._words.splitlines()
            assert all(f" {line} " in shown for line in lines)
            assert " ".join(lines) == " ".join(said.split()) or lines[-1].endswith("…")
            assert "enter starts it, esc cancels" in shown
        assert await fill(pilot, dialog, TEXTS) == ""
        if size == WIDE:
            assert "batch 256, 50 held out, 5,000 training images, 100 test images." in " ".join(
                screen_text(pilot).replace("│", "").split()
            )


async def test_a_trial_to_be_added_has_one_value_for_each_range(tmp_path):
    plan = tiny_plan({"lr": "0.01:0.5:log", "dropout": "0:0.2", "epochs": "2:4"})
    dialog = AddTrial("s" * 60, plan, {})
    async with staged(dialog, tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "0:0.2 ")
        empty = {"lr": "", "dropout": "", "epochs": ""}
        for texts, words in {
            ("lr", "0.01,0.02"): "lr = 0.01,0.02: must be one number within 0.01:0.5:log.",
            ("dropout", "0.5"): "dropout = 0.5: must be one number within 0:0.2.",
            ("epochs", "x"): "epochs = x: must be one whole number within 2:4.",
        }.items():
            assert (await fill(pilot, dialog, empty | dict([texts]))).startswith(words)
        assert dialog.help_of("lr").count("0.01") == 0, "the range is in the field already"
        assert await fill(pilot, dialog, empty) == ""
    grid = AddTrial("s", tiny_plan({"lr": "0.1:0.3:0.1", "epochs": "2,3"}, sampler="grid"), {})
    with pytest.raises(InvalidValue, match="lr = '': a grid leaves nothing open"):
        grid.result({"lr": "", "epochs": "2"})


async def test_a_value_out_of_several_is_typed_however_fast_and_no_key_goes_past_the_dialog(tmp_path):
    plan = tiny_plan({"dropout": "0,0.1,0.15,0.25", "lr": "0.01:0.5:log"})
    added = []
    async with opened(tmp_path, WIDE) as pilot:
        await pilot.app.push_screen(AddTrial("s", plan, {}), added.append)
        await wait_for_text(pilot, "enter adds it")
        await pilot.press(*"0.2", "tab", *"0.15", "3", "enter")
        await wait_for(pilot, lambda: added)
        await pilot.pause()
        assert added == [{"dropout": "0.15", "lr": "0.2"}]
        late = events.Key("3", "3")  # nobody in the dialog wanted it, and it comes up after the dialog has closed
        late._set_forwarded()
        pilot.app.post_message(late)
        await pilot.pause()
        assert pilot.app.current_mode == "lab"


def test_a_sweep_that_may_be_started_is_the_words_of_a_command(tmp_path):
    locations = Locations.resolve(tmp_path, tmp_path / "data")
    wanted = check_sweep(TEXTS, TrainConfig(val_split=50), locations)
    assert wanted.options[:6] == ("--preset", "seed-conv9", "--epochs", "3", "--val-split", "50")
    assert wanted.options[-6:-2] == ("--seeds-per-trial", "1", "--race", "0")
    more = check_sweep(TEXTS | {"seeds_per_trial": "3", "race": "4"}, TrainConfig(val_split=50), locations)
    assert more.options[-6:] == ("--seeds-per-trial", "3", "--race", "4", "--trials", "5")
    with pytest.raises(InvalidValue, match="nothing to search yet"):
        check_sweep(TEXTS | {"space": ""}, TrainConfig(), locations)
