"""Digits as augmentation makes them, drawn from the Lab."""

from __future__ import annotations

import pytest
from app_pilot import SMALL, WIDE, opened, screen_text, wait_for, wait_for_text

from tui.screens.augmented import AugmentedDigits
from tui.screens.lab import LabScreen
from tui.widgets.forms.run_form import RunForm
from tui.widgets.pictures.picture_grid import PictureGrid


@pytest.fixture(autouse=True)
def no_download(monkeypatch, cache_home):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nobody listens there


def put(pilot, **texts: str) -> None:
    pilot.app.screen.query_one(RunForm).put({"dataset": "mnist-5k", **texts})


def pictures(pilot) -> list[bytes]:
    return [item.values.tobytes() for item in pilot.app.screen.query_one(PictureGrid)._pictures]


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_key_draws_sixteen_pairs_and_space_draws_others(tmp_path, size):
    async with opened(tmp_path, size) as pilot:
        put(pilot, augment="affine,erase", seed="7")
        await pilot.press("D")
        await wait_for_text(pilot, "start of epoch 1 with seed 7")
        assert "Augmentation: affine,erase" in screen_text(pilot)
        first = pictures(pilot)
        assert len(first) == 16
        assert pilot.app.screen.query_one(PictureGrid)._pictures[0].values.shape == (14, 29)
        await pilot.press("r")
        await wait_for_text(pilot, "start of epoch 2 with seed 7")
        assert pictures(pilot) != first
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, LabScreen)


async def test_from_inside_a_field_another_key_does_and_the_value_is_the_typed_one(tmp_path):
    async with opened(tmp_path) as pilot:
        put(pilot, augment="shear", epochs="99")  # over the budget, which does not matter here
        await pilot.press("v", "ctrl+g")
        await wait_for_text(pilot, "Augmentation: shear")
        await wait_for_text(pilot, "start of epoch 1 with seed 0")


async def test_what_is_no_augmentation_is_said(tmp_path):
    async with opened(tmp_path) as pilot:
        put(pilot, augment="flip")
        await pilot.press("D")
        await wait_for_text(pilot, "none, or some of shift")
        assert isinstance(pilot.app.screen, LabScreen)


async def test_no_augmentation_shows_the_digits_alone(tmp_path):
    async with opened(tmp_path) as pilot:
        put(pilot, augment="none")
        await pilot.press("D")
        await wait_for_text(pilot, "No augmentation")
        assert pilot.app.screen.query_one(PictureGrid)._pictures[0].values.shape == (14, 14)


async def test_data_that_are_missing_are_said_and_escape_closes(tmp_path):
    async with opened(tmp_path) as pilot:
        put(pilot, augment="shift", dataset="fashion")
        await pilot.press("D")
        await wait_for_text(pilot, "cannot be downloaded")
        await pilot.press("escape")
        await wait_for(pilot, lambda: not isinstance(pilot.app.screen, AugmentedDigits))
