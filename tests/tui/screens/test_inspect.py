"""Inspect: what a network confuses, its digits, classes, layers, filters and feature maps."""

from __future__ import annotations

import shutil

import pytest
from app_pilot import SMALL, WIDE, make_run, opened, screen_text, wait_for, wait_for_text
from own_files import write_own
from snapshot import assert_snapshot
from stage import staged
from template_runs import template_run, template_weights

from core.config import TrainConfig
from core.models.network import build_network
from core.storage.tensors import write_tensors
from experiments.runs.folder import Meta
from experiments.runs.own_code import remember_named
from experiments.runs.store import Store
from experiments.settings import Settings
from tui.screens.inspect import InspectScreen
from tui.widgets.pictures.heat_map import HeatMap

VIEWS = ("digits", "classes", "layers", "filters", "maps")


async def _inspect(pilot) -> None:
    await pilot.press("3")
    await wait_for_text(pilot, "1 run")
    await pilot.press("i")


async def _ready(pilot) -> None:
    await wait_for_text(pilot, "True (down) and predicted (across)")
    work = pilot.app.screen._work
    await wait_for(pilot, lambda: work.layers is not None)


@pytest.mark.parametrize(
    ("size", "options", "tag"),
    [(WIDE, {}, "120x40"), (SMALL, {}, "80x24"), (SMALL, {"settings": Settings(ascii=True)}, "80x24-ascii")],
    ids=["120x40", "80x24", "80x24-ascii"],
)
async def test_every_view_is_as_it_was(tmp_path, script, size, options, tag):
    template_run(tmp_path, script)
    async with opened(tmp_path, size, **options) as pilot:
        await _inspect(pilot)
        await _ready(pilot)
        await assert_snapshot(pilot, f"inspect-confusion-{tag}")
        for view in VIEWS:
            await pilot.press("tab")
            await assert_snapshot(pilot, f"inspect-{view}-{tag}")


async def test_without_colour_digits_are_dots_and_counts_have_shades(tmp_path, script, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    template_run(tmp_path, script)
    async with opened(tmp_path, SMALL) as pilot:
        await _inspect(pilot)
        await _ready(pilot)
        await assert_snapshot(pilot, "inspect-confusion-80x24-no-color")
        await pilot.press("M")
        await assert_snapshot(pilot, "inspect-digits-80x24-no-color")


async def test_from_a_cell_to_its_digits_to_what_layers_make_of_one_and_back(tmp_path, script):
    template_run(tmp_path, script)
    async with opened(tmp_path) as pilot:
        await _inspect(pilot)
        await _ready(pilot)
        screen = pilot.app.screen
        heat_map = screen.query_one(HeatMap)
        worst = screen._shown.worst
        assert heat_map.cell == worst
        await pilot.press(*["left"] * 9, *["up"] * 9)
        assert heat_map.cell == (0, 0)
        await wait_for_text(pilot, "True 0, recognised")
        await pilot.press("M")
        true, predicted = worst
        await wait_for_text(pilot, f"True {true}, taken for {predicted}   1 of {screen._shown.counts[true][predicted]}")
        assert f"says {predicted}" in screen_text(pilot)
        await pilot.press("enter")
        first = screen._indices[0]
        await wait_for_text(pilot, f"no. {first}: true {true}")
        await pilot.press("right_square_bracket", "left_square_bracket", "down")
        assert f"no. {first}" in screen_text(pilot)
        await pilot.press("escape", "escape")
        assert screen.view == "confusion"
        await pilot.press("escape")
        await wait_for_text(pilot, "1 run, 0 live")


async def test_a_click_on_a_cell_opens_its_digits(tmp_path, script):
    run = template_run(tmp_path, script)
    async with staged(InspectScreen(run), tmp_path) as pilot:
        await _ready(pilot)
        heat_map = pilot.app.screen.query_one(HeatMap)
        width, height = heat_map._cell_size
        await pilot.click(HeatMap, offset=(1 + 3 + 7 * width + 1, 1 + 1 + 7 * height))
        await wait_for_text(pilot, "True 7, recognised   1 of")


async def test_a_live_run_is_read_again_when_it_has_stored_weights(tmp_path, script):
    run = template_run(tmp_path, script, live=True, blur=0.25)
    async with staged(InspectScreen(run), tmp_path) as pilot:
        await _ready(pilot)
        assert "epoch 1" in screen_text(pilot)
        before = pilot.app.screen._shown
        await pilot.press("tab")
        weights = template_weights()
        weights["Linear-1.bias"][3] = 1000.0  # everything is a 3
        write_tensors(run.best_weights, weights, {"epoch": "2"})
        await wait_for_text(pilot, "epoch 2")
        shown = pilot.app.screen._shown
        assert shown is not before
        assert [row[3] for row in shown.counts] == [sum(row) for row in shown.counts]
        assert pilot.app.screen.view == "digits"  # where one was


async def test_the_weights_of_the_best_epoch_can_be_looked_at(tmp_path, script):
    run = template_run(tmp_path, script)
    async with staged(InspectScreen(run), tmp_path) as pilot:
        await _ready(pilot)
        await pilot.press("W")
        await wait_for_text(pilot, "the run has no others")
        write_tensors(run.best_weights, template_weights(), {"epoch": "2"})
        await pilot.press("W")
        await wait_for_text(pilot, "best weights, epoch 2")
        await pilot.press("W")
        await wait_for_text(pilot, "final weights, epoch 3")


async def test_a_run_without_weights_says_so_and_shows_them_when_they_come(tmp_path, script):
    run = template_run(tmp_path, script, live=True)
    run.best_weights.unlink()
    async with staged(InspectScreen(run), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "has no weights")
        await pilot.press("tab", "M", "W", "r", "enter")
        write_tensors(run.best_weights, template_weights(), {"epoch": "1"})
        await _ready(pilot)


async def test_a_run_that_is_deleted_meanwhile_stays_on_the_screen(tmp_path, script):
    run = template_run(tmp_path, script)
    async with opened(tmp_path) as pilot:
        await _inspect(pilot)
        await _ready(pilot)
        shutil.rmtree(run.folder)
        await wait_for_text(pilot, "The run has been deleted. What was read of it is still shown.")
        await pilot.press("M", "enter", "W", "r")
        await pilot.press("escape", "escape", "escape")
        await wait_for_text(pilot, "There are no runs yet")


async def test_damaged_weights_and_missing_data_are_told_in_words(tmp_path, script, no_network):
    run = template_run(tmp_path, script)
    run.final_weights.write_bytes(b"nonsense")
    async with staged(InspectScreen(run), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "final.safetensors: damaged")
    config = {"arch": "fc10", "dataset": "fashion"}
    other = make_run(tmp_path, script, script.started(config=config, dataset="fashion"), script.finished(), **config)
    write_tensors(other.final_weights, template_weights(), {"epoch": "3"})
    async with staged(InspectScreen(other), tmp_path, SMALL) as pilot:
        await wait_for(pilot, lambda: pilot.app.screen._work is not None and pilot.app.screen._work.trouble())
        await wait_for_text(pilot, "train-images-idx3-ubyte.gz")


async def test_code_of_the_user_s_own_is_run_only_when_asked_for(tmp_path, script):
    mark = tmp_path / "ran"
    code = (
        "import pathlib\nfrom torch import nn\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        pathlib.Path({str(mark)!r}).touch()\n"
        "        self.one = nn.Linear(784, 10)\n    def forward(self, x):\n        return self.one(x.flatten(1))\n"
    )
    (tmp_path / "net.py").write_text(code)
    config = {"arch": f"{tmp_path / 'net.py'}:Net", "dataset": "mnist-5k", "limit_test": 100}
    started = script.started(config=config, dataset="mnist-5k")
    run = make_run(tmp_path, script, started, script.finished(), meta=Meta("own"), **config)
    weights = template_weights()
    own = {"one.weight": weights["Linear-1.weight"], "one.bias": weights["Linear-1.bias"]}
    write_tensors(run.final_weights, own, {"epoch": "3"})
    async with staged(InspectScreen(run), tmp_path) as pilot:
        await wait_for_text(pilot, "Press ! to import it and run its code")
        await pilot.pause()
        assert not mark.exists()
        await pilot.press("!")
        await _ready(pilot)
        assert mark.exists()


async def test_the_code_that_a_run_keeps_is_run_and_what_has_become_of_the_file_is_told(tmp_path, script):
    arch = write_own(tmp_path / "mine")
    path = tmp_path / "mine" / "net.py"
    config = TrainConfig.checked({"arch": arch, "dataset": "mnist-5k", "limit_test": 100})
    network = build_network(config)
    run = Store(tmp_path).create(config, Meta("own"), {}, network.source)
    script.write(run, script.started(config=config.model_dump(), dataset="mnist-5k"), script.finished())
    run.release()
    write_tensors(run.final_weights, network.module.state_dict(), {"epoch": "3"})
    remember_named(network.source)
    path.write_text("raise SystemExit")
    async with staged(InspectScreen(run), tmp_path) as pilot:
        await wait_for_text(pilot, "Press ! to import it and run its code")
        words = " ".join(screen_text(pilot).split())
        assert "the copy of net.py that the run keeps in" in words
        assert "net.py has changed since" in words
        await pilot.press("!")
        await wait_for_text(pilot, "final weights, epoch 3")
        await wait_for(pilot, lambda: any("its own copy is used" in told.message for told in pilot.app._notifications))
        await pilot.press("w")
        await wait_for_text(pilot, "Draw here")
        await wait_for_text(pilot, "Draw  own  net.py:Net  final weights, epoch 3")
