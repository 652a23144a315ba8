"""Draw: keys, mouse, undo, classification at each stroke, saving."""

from __future__ import annotations

import pytest
from app_pilot import SMALL, WIDE, opened, screen_text, wait_for_text
from picture_files import read_picture
from snapshot import assert_snapshot
from stage import staged
from template_runs import template_run, template_weights

from core.storage.tensors import write_tensors
from experiments.settings import Settings
from tui.screens.draw import DrawScreen
from tui.widgets.pictures.canvas import Canvas

ONE = ("space", *["down"] * 19, "space")
"""The keys that draw a 1."""


async def _draw(pilot) -> None:
    await pilot.press("3")
    await wait_for_text(pilot, "1 run")
    await pilot.press("w")
    await wait_for_text(pilot, "final weights, epoch 3")


@pytest.mark.parametrize(
    ("size", "options", "tag"),
    [(WIDE, {}, "120x40"), (SMALL, {"settings": Settings(ascii=True)}, "80x24-ascii")],
    ids=["120x40", "80x24-ascii"],
)
async def test_a_one_is_recognised_as_it_is_drawn(tmp_path, script, size, options, tag):
    template_run(tmp_path, script)
    async with opened(tmp_path, size, **options) as pilot:
        await _draw(pilot)
        assert "nothing yet" in screen_text(pilot)
        await pilot.press(*ONE)
        await wait_for_text(pilot, "a 1, ")
        await assert_snapshot(pilot, f"draw-{tag}")


async def test_undo_and_clear_take_back_strokes(tmp_path, script):
    run = template_run(tmp_path, script)
    async with staged(DrawScreen(run), tmp_path) as pilot:
        await wait_for_text(pilot, "final weights, epoch 3")
        canvas = pilot.app.screen.query_one(Canvas)
        await pilot.press(*ONE)
        first = canvas.values.copy()
        await pilot.press("right", "right", "shift+right", "space", "shift+up", "left", "space")
        assert canvas.values.sum() > first.sum()
        await pilot.press("u")
        assert (canvas.values == first).all()
        await pilot.press("d")
        assert canvas.empty
        await wait_for_text(pilot, "nothing yet")
        await pilot.press("u")
        assert (canvas.values == first).all()
        await pilot.press("u", "u", "u")
        assert canvas.empty


async def test_the_mouse_draws_from_where_it_is_pressed_to_where_it_is_let_go(tmp_path, script):
    run = template_run(tmp_path, script)
    async with staged(DrawScreen(run), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "final weights, epoch 3")
        canvas = pilot.app.screen.query_one(Canvas)
        await pilot.mouse_down(Canvas, offset=(15, 4))
        await pilot.hover(Canvas, offset=(15, 11))
        await pilot.mouse_up(Canvas, offset=(15, 11))
        assert canvas.values[7:20, 14].min() == 1.0
        assert canvas.values[:, :10].max() == 0.0
        await pilot.hover(Canvas, offset=(3, 3))
        assert canvas.values[:, :10].max() == 0.0  # let go of
        await wait_for_text(pilot, "a 1, ")


async def test_what_is_saved_reads_back_and_the_toast_says_where(tmp_path, script):
    template_run(tmp_path, script)
    async with opened(tmp_path) as pilot:
        await _draw(pilot)
        await pilot.press("ctrl+s")  # nothing to save yet
        await pilot.press(*ONE, "ctrl+s", "ctrl+s")
        await wait_for_text(pilot, "Saved")
        files = list((tmp_path / "drawings").iterdir())
        assert len(files) == 2
        assert int(read_picture(files[0]).max()) == 255
        await pilot.press("escape")
        await wait_for_text(pilot, "1 run, 0 live")


async def test_a_run_that_finishes_meanwhile_is_drawn_for_with_its_final_weights(tmp_path, script):
    run = template_run(tmp_path, script, live=True)
    async with staged(DrawScreen(run), tmp_path) as pilot:
        await wait_for_text(pilot, "best weights, epoch 1")
        await pilot.press(*ONE)
        await wait_for_text(pilot, "a 1, ")
        weights = template_weights()
        weights["Linear-1.bias"][3] = 1000.0  # everything is a 3
        write_tensors(run.final_weights, weights, {"epoch": "3"})
        await wait_for_text(pilot, "final weights, epoch 3")
        await wait_for_text(pilot, "a 3, ")


async def test_a_home_that_cannot_be_written_and_a_run_without_weights_are_told_in_words(tmp_path, script):
    run = template_run(tmp_path, script)
    run.final_weights.unlink()
    (tmp_path / "drawings").write_text("in the way")
    async with staged(DrawScreen(run), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "has no weights")
        await pilot.press(*ONE, "ctrl+s")
        await wait_for_text(pilot, "Not saved")
