"""Compare: curves over each other, config differences, verdict, disagreements."""

from __future__ import annotations

import math
import shutil

import pytest
from app_pilot import SMALL, WIDE, make_run, opened, screen_text, wait_for, wait_for_text
from snapshot import assert_snapshot
from stage import staged
from template_runs import template_run, template_weights

from core.storage.tensors import write_tensors
from experiments.results.frontier import Point
from experiments.results.groups import accuracy, find_group
from experiments.runs.folder import Meta
from experiments.runs.store import Store
from experiments.settings import Settings
from tui.live.comparing import METRICS, config_differences, find_entrants
from tui.screens.compare import CompareScreen
from tui.widgets.charts.frontier_view import KINDS, frontier_curves, in_sight
from tui.widgets.charts.overlay import Overlay
from tui.widgets.lines.navbar import NavBar
from tui.widgets.tables.compare_tables import entrant_cells


def _run(home, script, name: str, *accuracies: float, group_id: str | None = None, **config: object):
    epochs = [script.epoch(number, accuracy) for number, accuracy in enumerate(accuracies, start=1)]
    events = [script.started(config=config), *epochs, script.finished(len(epochs), accuracies[-1])]
    return make_run(home, script, *events, meta=Meta(name, (), group_id), **config)


async def _compare(pilot, *references: str) -> None:
    await pilot.app.push_screen(CompareScreen(references))
    await pilot.pause()


def test_fields_without_effect_are_not_among_the_differences(tmp_path, script):
    for name, lr, rotation in (("a", 0.1, 3.0), ("b", 0.2, 5.0)):
        _run(tmp_path, script, name, 0.9, 0.95, lr=lr, rotation=rotation)
    entrants = find_entrants(Store(tmp_path), ["a", "b"])
    for entrant in entrants:
        entrant.poll()
    assert config_differences(entrants) == [("lr", ["0.1", "0.2"])]


@pytest.mark.parametrize(("size", "tag"), [(WIDE, "120x40"), (SMALL, "80x24")], ids=["120x40", "80x24"])
async def test_runs_and_a_group_in_one_chart(tmp_path, script, size, tag):
    group = "g20260101-120000-abcd"
    one = _run(tmp_path, script, "steady", 0.95, 0.97, 0.98, 0.985, arch="conv5")
    for seed, last in ((0, 0.96), (1, 0.98)):
        _run(tmp_path, script, f"noisy-{seed}", 0.90, 0.93, 0.92, last, group_id=group, seed=seed, lr=0.5)
    async with opened(tmp_path, size) as pilot:
        await _compare(pilot, one.id, group)
        await assert_snapshot(pilot, f"compare-curves-{tag}")
        await wait_for_text(pilot, "noisy (2 runs)")
        await pilot.press("y")
        await wait_for_text(pilot, "Score %, 98.5 to 100")
        await pilot.press("y")
        await wait_for_text(pilot, "Error %, log scale")
        await pilot.press("m", "b", "s")
        await wait_for_text(pilot, "Loss on scored images, log scale, smoothed 0.6 over its points")
        await wait_for_text(pilot, " steps ")
        await pilot.press("tab")
        await assert_snapshot(pilot, f"compare-differences-{tag}")
        await pilot.press("shift+tab", "escape")
        assert not isinstance(pilot.app.screen, CompareScreen)


async def test_the_curve_that_is_nearest_to_the_mouse_is_named_while_it_is_over_the_chart(tmp_path, script):
    high = _run(tmp_path, script, "high", 0.95, 0.98, 0.985)
    low = _run(tmp_path, script, "low", 0.5, 0.55, 0.6)
    async with opened(tmp_path) as pilot:
        await _compare(pilot, high.id, low.id)
        await wait_for_text(pilot, "epochs")
        chart = pilot.app.screen.query_one("#overlay", Overlay)
        await wait_for(pilot, lambda: chart.size.height > 6)
        legend = str(chart.border_subtitle)
        middle = chart.size.width // 2
        await pilot.hover(chart, offset=(middle, 3))
        await wait_for_text(pilot, "epoch 2: ● high 98")
        await pilot.hover(chart, offset=(middle, chart.size.height - 4))  # the same epoch, another curve
        await wait_for_text(pilot, "epoch 2: ▲ low 55")
        await pilot.hover(NavBar)
        await wait_for(pilot, lambda: chart.cursor is None and str(chart.border_subtitle) == legend)
        await pilot.click(chart, offset=(middle, 3))
        await pilot.hover(NavBar)
        await wait_for_text(pilot, "epoch 2: ● high 98")  # a click keeps it
        await pilot.press("escape")
        await wait_for(pilot, lambda: chart.cursor is None)


def test_a_groups_curve_is_the_median_between_quartiles_of_the_runs_that_the_verdict_counts(tmp_path, script):
    group = "g20260101-120000-abcd"

    def member(seed: int, *events: object) -> None:
        values = {"epochs": 3, "seed": seed}
        make_run(tmp_path, script, script.started(config=values), *events, meta=Meta(f"a-{seed}", (), group), **values)

    for seed, last in ((0, 0.95), (1, 0.96), (2, 0.99), (1, 0.96)):  # the last one repeats another
        member(seed, script.epoch(1, 0.9), script.epoch(2, last, seconds=seed + 1), script.finished(2, last))
    member(3, script.epoch(1, 0.1), script.failed(2))
    member(4, script.epoch(1, 0.2), script.stopped(1))
    store = Store(tmp_path)
    (entrant,) = find_entrants(store, [group])
    assert entrant.label == "a"
    entrant.poll()
    assert entrant.title == "a (3 of 6 runs)"
    line = entrant.curve(METRICS["score"], "epoch")
    assert line.xs.tolist() == [1, 2]
    assert line.ys.tolist() == pytest.approx([90, 96])
    lower, upper = line.band
    assert lower.tolist() == pytest.approx([90, 95.5])
    assert upper.tolist() == pytest.approx([90, 97.5])
    assert line.ys[-1] == pytest.approx(100 * find_group(store, group).curve(accuracy)[2].median)
    assert entrant.curve(METRICS["score"], "step").xs.tolist() == [235, 470]
    seconds = entrant.curve(METRICS["score"], "time").xs
    assert seconds[1] - seconds[0] == pytest.approx(2)
    assert [entrant_cells(entrant, 0, "o")[place] for place in (5, 6)] == ["96.67%", "96.67%"]
    # One that reached its target in the first epoch: the median would jump where it is missing.
    member(5, script.epoch(1, 0.994), script.finished(1, 0.994))
    (entrant,) = find_entrants(store, [group])
    entrant.poll()
    assert entrant.curve(METRICS["score"], "epoch").xs.tolist() == [1]


def test_a_group_under_way_shows_its_live_runs_until_one_has_finished(tmp_path, script):
    group = "g20260101-120000-abcd"
    for seed in (0, 1):
        epochs = [script.epoch(number, 0.9 + number / 100) for number in range(1, 3 + seed)]
        values = {"epochs": 3, "seed": seed}
        make_run(tmp_path, script, script.started(config=values), *epochs, meta=Meta(f"a-{seed}", (), group), **values)
    (entrant,) = find_entrants(Store(tmp_path), [group])
    entrant.poll()
    assert entrant.title == "a (2 runs)"
    assert entrant.curve(METRICS["score"], "epoch").ys.tolist() == pytest.approx([91, 92])


async def test_a_live_run_grows_and_a_deleted_one_stays(tmp_path, script):
    live = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9), meta=Meta("alive"))
    done = _run(tmp_path, script, "done", 0.95, 0.96)
    async with staged(CompareScreen([live.id, done.id]), tmp_path) as pilot:
        await wait_for_text(pilot, "1/20")
        script.write(live, script.epoch(2, 0.93))
        await wait_for_text(pilot, "2/20")
        shutil.rmtree(done.folder)
        await wait_for_text(pilot, "done (deleted)")


async def test_the_verdict_says_who_is_better_or_why_it_cannot_tell(tmp_path, script):
    groups = {}
    for name, base in (("worse", 0.95), ("better", 0.99), ("between", 0.97)):
        groups[name] = f"g20260101-12000{len(groups)}-abcd"
        for seed in range(3):
            _run(tmp_path, script, f"{name}-{seed}", base, base + seed / 1000, group_id=groups[name], seed=seed)
    single = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9), meta=Meta("alive"))
    async with staged(CompareScreen([groups["worse"], groups["better"]]), tmp_path) as pilot:
        await pilot.press("tab", "tab")
        await wait_for_text(pilot, "better is better by 4.00 points")
        assert "compared with" not in screen_text(pilot)
        await pilot.press("escape")
        await _compare(pilot, *groups.values())
        await pilot.press("tab", "tab")
        await wait_for_text(pilot, "Each is compared with worse, the first; intervals are of 97.5%")
        await pilot.press("escape")
        await _compare(pilot, groups["worse"], single.id)
        await pilot.press("tab", "tab")
        await wait_for_text(pilot, "only finished runs can be compared; run ")
        script.write(single, script.finished(1, 0.9))
        single.release()
        await wait_for(pilot, lambda: "only finished runs" not in screen_text(pilot))
        await wait_for_text(pilot, "worse is better by 5.10 points")


async def test_digits_on_which_two_networks_disagree(tmp_path, script):
    one = template_run(tmp_path, script, "one")
    other = template_run(tmp_path, script, "other")
    weights = template_weights()
    weights["Linear-1.bias"][1] += 1.0
    write_tensors(other.final_weights, weights, {"epoch": "3"})
    async with staged(CompareScreen([one.id, other.id]), tmp_path) as pilot:
        await pilot.press("down", "enter")
        await wait_for_text(pilot, "A one, B other: they differ on 19 of 200 images; no. 1")
        text = screen_text(pilot)
        assert "B: 1" in text
        assert "true" in text
        await pilot.press("right")
        await wait_for_text(pilot, "images; no. 2")


async def test_why_two_networks_cannot_be_held_against_each_other_is_readable_in_a_small_window(tmp_path, script):
    one = template_run(tmp_path, script, "one")
    config = {"dataset": "mnist-5k", "arch": "fc10"}
    started = script.started(config=config, dataset="mnist-5k")
    other = make_run(tmp_path, script, started, script.finished(), **config)
    write_tensors(other.final_weights, template_weights(), {"epoch": "3"})
    async with staged(CompareScreen([one.id, other.id]), tmp_path, SMALL) as pilot:
        await pilot.press("tab", "tab", "tab")
        await wait_for_text(pilot, "Compare runs on the same test")
        words = " ".join(screen_text(pilot).split())
    reason = f"run = {other.id}: was scored on 1,000 images of mnist-5k, {one.id} on 200 images of mnist-5k."
    assert reason in words


async def test_one_run_alone_runs_on_other_data_and_ids_of_nothing(tmp_path, script):
    one = _run(tmp_path, script, "one", 0.95)
    other = template_run(tmp_path, script, "other")
    async with staged(CompareScreen([one.id]), tmp_path, SMALL) as pilot:
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
        assert "Metric" not in screen_text(pilot)


@pytest.mark.parametrize(
    ("size", "tag", "options"),
    [(WIDE, "120x40", {}), (SMALL, "80x24", {}), (SMALL, "80x24-ascii", {"settings": Settings(ascii=True)})],
    ids=["120x40", "80x24", "ascii"],
)
async def test_accuracy_by_parameters_shows_intervals_and_the_front(tmp_path, script, size, tag, options):
    # An interval of two runs reaches below what the chart shows.
    groups = {"tiny": (2_000, 0.990, 0.994), "small": (5_000, 0.9930, 0.9935, 0.9940, 0.9932)}
    for name, (params, *scores) in groups.items():
        for seed, score in enumerate(scores):
            config = {"epochs": 1, "seed": seed}
            events = script.started(config=config, total_params=params), script.epoch(1, score)
            meta = Meta(f"{name}-{seed}", (), f"g20260101-120000-{params}")
            make_run(tmp_path, script, *events, script.finished(1, score), meta=meta, **config)
    alone = script.started(total_params=15_000), script.epoch(1, 0.9945), script.finished(1, 0.9945)
    one = make_run(tmp_path, script, *alone, meta=Meta("alone"))
    async with opened(tmp_path, size, **options) as pilot:
        await _compare(pilot, one.id)
        await pilot.press("shift+tab")
        await wait_for_text(pilot, "95% intervals")
        await assert_snapshot(pilot, f"compare-frontier-{tag}")


async def test_runs_on_other_data_are_shown_among_their_own_and_who_is_missing_is_named(tmp_path, script):
    def run(name: str, dataset: str, params: int):
        events = script.started(dataset=dataset, total_params=params), script.epoch(1, 0.95), script.finished(1, 0.95)
        return make_run(tmp_path, script, *events, meta=Meta(name), dataset=dataset)

    small, other = run("small", "mnist-5k", 4_000), run("other", "mnist-5k", 8_000)
    full = run("full", "mnist", 8_000)
    async with opened(tmp_path) as pilot:
        await _compare(pilot, small.id, other.id)
        await pilot.press("shift+tab")
        await wait_for_text(pilot, "by parameters, mnist-5k")
        assert "published" not in screen_text(pilot)
        assert "not here" not in screen_text(pilot)
        await pilot.press("escape")
        await _compare(pilot, small.id, full.id)
        await pilot.press("shift+tab")
        await wait_for_text(pilot, "by parameters, full MNIST")
        await wait_for_text(pilot, "not on full MNIST, so not here: small")


def test_a_run_far_below_is_left_out_of_sight_but_no_published_result():
    scores = {"run": (0.0996, 0.9921, 0.9934, 0.9941, 0.9950), "published": (0.9750, 0.9903, 0.9941, 0.9960)}
    points = [Point(kind, "", "", 1_000, score, None, None, 1) for kind, found in scores.items() for score in found]
    assert in_sight(points) == points[1:]


def test_unknown_intervals_have_no_bar_and_known_ones_end_at_the_floor():
    points = [
        Point("group", "a", "g", 1_000, 0.993, 0.97, 0.999, 2),
        Point("group", "b", "h", 2_000, 0.995, None, None, 2),
    ]
    group = next(curve for curve in frontier_curves(points) if curve.number == KINDS["group"][0])
    lower, upper = group.band
    assert (lower[0], upper[0]) == pytest.approx((98.8, 99.9))
    assert math.isnan(lower[1])
    assert math.isnan(upper[1])
