"""Compare: curves over each other, config differences, verdict, disagreements."""

from __future__ import annotations

import shutil

import pytest
from app_pilot import SMALL, WIDE, make_run, opened, screen_text, wait_for_text
from snapshot import assert_snapshot
from template_runs import template_run, template_weights

from core.tensorfile import write_tensors
from experiments.run import Meta
from tui.screens.compare import CompareScreen


def _run(home, script, name: str, *accuracies: float, group_id: str | None = None, **config: object):
    epochs = [script.epoch(number, accuracy) for number, accuracy in enumerate(accuracies, start=1)]
    events = [script.started(config=config), *epochs, script.finished(len(epochs), accuracies[-1])]
    return make_run(home, script, *events, meta=Meta(name, (), group_id), **config)


async def _compare(pilot, *references: str) -> None:
    await pilot.app.push_screen(CompareScreen(references))
    await pilot.pause(0.7)


@pytest.mark.parametrize(("size", "tag"), [(WIDE, "120x40"), (SMALL, "80x24")], ids=["120x40", "80x24"])
async def test_runs_and_a_group_in_one_chart(tmp_path, script, size, tag):
    group = "g20260101-120000-abcd"
    one = _run(tmp_path, script, "steady", 0.95, 0.97, 0.98, 0.985, arch="conv5")
    for seed, last in ((0, 0.96), (1, 0.98)):
        _run(tmp_path, script, f"noisy-{seed}", 0.90, 0.93, 0.92, last, group_id=group, seed=seed, lr=0.5)
    async with opened(tmp_path, size) as pilot:
        await _compare(pilot, one.id, group)
        assert_snapshot(pilot, f"compare-curves-{tag}")
        assert "noisy (mean of 2)" in screen_text(pilot)
        await pilot.press("l")
        await wait_for_text(pilot, "Error %, log scale")
        await pilot.press("m", "a", "s")
        await wait_for_text(pilot, "Loss on scored images, log scale, smoothing 0.6")
        await wait_for_text(pilot, " steps ")
        await pilot.press("tab")
        await pilot.pause(0.1)
        assert_snapshot(pilot, f"compare-differences-{tag}")
        await pilot.press("shift+tab", "escape")
        assert not isinstance(pilot.app.screen, CompareScreen)


async def test_a_live_run_grows_and_a_deleted_one_stays(tmp_path, script):
    live = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9), meta=Meta("alive"))
    done = _run(tmp_path, script, "done", 0.95, 0.96)
    async with opened(tmp_path) as pilot:
        await _compare(pilot, live.id, done.id)
        assert "1/20" in screen_text(pilot)
        script.write(live, script.epoch(2, 0.93))
        await wait_for_text(pilot, "2/20")
        shutil.rmtree(done.folder)
        await wait_for_text(pilot, "done (deleted)")


async def test_the_verdict_says_who_is_better_or_why_it_cannot_tell(tmp_path, script):
    groups = {}
    for name, base in (("worse", 0.95), ("better", 0.99)):
        groups[name] = f"g20260101-12000{len(groups)}-abcd"
        for seed in range(3):
            _run(tmp_path, script, f"{name}-{seed}", base, base + seed / 1000, group_id=groups[name], seed=seed)
    single = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9), meta=Meta("alive"))
    async with opened(tmp_path) as pilot:
        await _compare(pilot, groups["worse"], groups["better"])
        await pilot.press("tab", "tab")
        await wait_for_text(pilot, "Better is better by 4.00 points")
        await pilot.press("escape")
        await _compare(pilot, groups["worse"], single.id)
        await pilot.press("tab", "tab")
        await wait_for_text(pilot, "not finished")


async def test_digits_on_which_two_networks_disagree(tmp_path, script):
    one = template_run(tmp_path, script, "one")
    other = template_run(tmp_path, script, "other")
    weights = template_weights()
    weights["Linear-1.bias"][1] += 1.0
    write_tensors(other.final_weights, weights, {"epoch": "3"})
    async with opened(tmp_path) as pilot:
        await _compare(pilot, one.id, other.id)
        await pilot.press("down", "enter")
        await wait_for_text(pilot, "A one, B other: they differ on 19 of 200 images; no. 1")
        text = screen_text(pilot)
        assert "B: 1" in text
        assert "true" in text
        await pilot.press("right")
        await wait_for_text(pilot, "images; no. 2")


async def test_one_run_alone_runs_on_other_data_and_ids_of_nothing(tmp_path, script):
    one = _run(tmp_path, script, "one", 0.95)
    other = template_run(tmp_path, script, "other")
    async with opened(tmp_path, SMALL) as pilot:
        await _compare(pilot, one.id)
        await pilot.press("tab", "tab", "tab")
        await wait_for_text(pilot, "Two runs are needed")
        await pilot.press("tab")
        await wait_for_text(pilot, "published")
        await pilot.press("escape")
        await _compare(pilot, one.id, other.id)
        await wait_for_text(pilot, "scored on different images")
        await pilot.press("escape")
        await _compare(pilot, "20200101-000000-0000")
        await wait_for_text(pilot, "no such run")
