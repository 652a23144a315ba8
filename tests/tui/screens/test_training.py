"""Training: a run as its log tells it, and what can go wrong with the log and the run."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest
from app_pilot import SMALL, WIDE, make_run, opened, screen_text, wait_for, wait_for_text
from stage import staged
from textual.app import App, ComposeResult

from experiments.results.diagnosis import WORDS
from experiments.results.groups import accuracy
from experiments.runs.folder import Meta
from tui.drawing.series import smoothed
from tui.live.follow import Follower
from tui.live.messages import OpenRequested, ResumeRequested, StopRequested
from tui.live.session import Job
from tui.screens.training import TrainingScreen
from tui.widgets.charts.chart import Chart
from tui.widgets.charts.curves import Curves, Look
from tui.widgets.charts.seed_curves import MEAN, number_of, seed_curves
from tui.widgets.lines.facts import facts_of
from tui.widgets.lines.line import Line
from tui.widgets.lines.progress_panel import ProgressPanel
from tui.widgets.tables.trend_table import rows_of


async def _open(pilot, run) -> None:
    pilot.app.post_message(OpenRequested(run))
    await wait_for(pilot, lambda: pilot.app.current_mode == "training")
    await wait_for(pilot, lambda: pilot.app.screen.query_one("#run-title").text)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_live_run_moves_from_start_to_end(tmp_path, script, size):
    run = make_run(tmp_path, script, script.started(config={"arch": "conv5"}))
    async with staged(TrainingScreen(), tmp_path, size, watched=run) as pilot:
        await wait_for_text(pilot, "running")
        script.write(run, script.progress(1, 106))
        await wait_for_text(pilot, "epoch 1/20 loss=0.0123")
        script.write(run, script.epoch(1, 0.9812), script.epoch(2, 0.9923))
        await wait_for_text(pilot, "Accuracy: 9923/10000 (99.23%)")
        assert "99.23% epoch 2" in screen_text(pilot)
        script.write(run, script.epoch(3, 0.9941))
        await wait_for_text(pilot, "After  epoch 3: 99.41%, good")
        script.write(run, script.finished())
        run.release()
        await wait_for_text(pilot, "✓ finished")
        await wait_for_text(pilot, "target")
        text = screen_text(pilot)
    assert "whole run" in text
    assert "⠐⠂ train" in text


async def test_while_another_run_is_prepared_nothing_is_shown_of_the_one_before(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9812), script.finished(1, 0.9812))
    run.release()
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await wait_for_text(pilot, "98.12%")
        lab = pilot.app.screen.lab
        lab.session.job = Job([])
        lab.session.job.stage = "preparing data and network"
        lab.run_watch.expect_new_runs()
        pilot.app.screen.repaint()
        await wait_for_text(pilot, "Preparing the run")
        await wait_for(pilot, lambda: "98.12%" not in screen_text(pilot))
        assert "Best" not in screen_text(pilot)
        lab.session.job.done.set()
        lab.run_watch.show(run)
        pilot.app.screen.repaint()
        await wait_for_text(pilot, "98.12%")


async def test_without_a_run_it_says_how_to_get_one(tmp_path):
    async with staged(TrainingScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "No run is open")


async def test_losses_that_are_not_finite_leave_gaps_and_the_failure_is_told(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.progress(1, 1), script.progress(1, 2, loss=None))
    script.write(run, script.progress(1, 3, loss=1e300), script.failed(1))
    run.release()
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await wait_for_text(pilot, "Failed in epoch 1: the loss is not finite. Use a lower learning rate")
        await pilot.press("l", "s", "z", "m", "m", "m", "m")
        await pilot.pause()
        assert pilot.app.is_running


async def test_a_run_that_failed_in_its_first_step_is_shown(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.failed(1))
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await wait_for_text(pilot, "✗ failed")
        await wait_for_text(pilot, "Best   no finished epoch yet")
        assert "after the first epoch" not in screen_text(pilot)


@pytest.mark.parametrize("size", [SMALL, WIDE, (200, 60)])
async def test_a_freshly_opened_run_has_every_fact(tmp_path, script, size):
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9812), script.epoch(2, 0.9888))
    script.write(run, script.epoch(3, 0.9901), script.finished())
    run.release()
    async with staged(TrainingScreen(), tmp_path, size, watched=run) as pilot:
        for fact in (
            "Best   99.01%",
            "Target 99.4%, 0.39",
            "After  epoch 3: 99.01%, too low",
            "Trend  still improving at its end",
            "170 params",
            "Device cpu",
        ):
            await wait_for_text(pilot, fact)
        assert "before its first step" not in screen_text(pilot)


@pytest.mark.parametrize(
    ("size", "words"),
    [(SMALL, "Params 8,914, 11,086 left "), (WIDE, "Params 8,914 of 20,000, 11,086 left ")],
    ids=["80x24", "120x40"],
)
async def test_what_is_left_of_the_budget_is_never_cut_off(tmp_path, script, size, words):
    config = {"max_params": 20_000, "budget": True}
    run = make_run(tmp_path, script, script.started(config=config, total_params=8_914), script.epoch(1, 0.98))
    async with staged(TrainingScreen(), tmp_path, size, watched=run) as pilot:
        await wait_for_text(pilot, words)


async def test_a_run_that_was_stopped_before_its_first_step_waits_for_nothing_and_has_its_target(tmp_path, script):
    run = make_run(tmp_path, script, script.stopped(0))
    run.release()
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await wait_for_text(pilot, "stopped before its first step")
        await wait_for_text(pilot, "Target 99.4%")
        assert "waiting for" not in screen_text(pilot)


async def test_the_early_verdict_is_bad_only_after_the_third_epoch(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9812), script.stopped(2))
    run.release()
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await wait_for_text(pilot, "After  epoch 3: no verdict")
        script.write(run, script.started(), script.epoch(2, 0.9922))
        await wait_for_text(pilot, "After  epoch 3: 99.22%, good")


async def test_a_finished_run_opened_first_has_a_log_pane(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1), script.finished())
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await pilot.pause()
        assert pilot.app.screen.query_one("#log").size.height > 2


async def test_a_finished_run_that_was_shown_before_there_was_a_layout_has_its_lines_afterwards(tmp_path, script):
    class Host(App[None]):
        def compose(self) -> ComposeResult:
            yield ProgressPanel()

        def on_mount(self) -> None:
            run = make_run(
                tmp_path, script, script.started(), script.progress(1, 235), script.epoch(1), script.finished()
            )
            panel = self.query_one(ProgressPanel)
            assert panel.content_size.width == 0
            panel.show(run.view(), "finished", "waiting for the first step...")

    async with Host().run_test(size=SMALL) as pilot:
        line = pilot.app.query_one("#epoch-progress", Line)
        await wait_for(pilot, lambda: "235/235" in line.text)
        assert len(line.text) <= SMALL[0]


async def test_a_deleted_folder_is_told_and_what_was_read_stays(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9812))
    async with opened(tmp_path) as pilot:
        await _open(pilot, run)
        await wait_for_text(pilot, "9812/10000")
        shutil.rmtree(run.folder)
        await wait_for_text(pilot, "folder has been deleted")
        await wait_for_text(pilot, "✗ deleted")
        for key in ("Continue", "Fork"):
            await wait_for(pilot, lambda key=key: key not in screen_text(pilot))
        pilot.app.post_message(ResumeRequested(run))
        await wait_for_text(pilot, "Cannot continue")
        assert "9812/10000" in screen_text(pilot)
        await pilot.press("3")
        await wait_for_text(pilot, "There are no runs yet")


async def test_a_damaged_log_is_read_around(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9812))
    with run.log.open("ab") as log:
        log.write(b"\x00\xff not json\n" + b'{"event": "epoch_finished", "epoch": "two"}\n')
    script.write(run, script.epoch(2, 0.9888))
    with run.log.open("ab") as log:
        log.write(b'{"event": "run_fin')
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await wait_for_text(pilot, "9888/10000")
        await wait_for_text(pilot, "2 lines of this run's log are damaged and were skipped")


async def test_a_log_that_is_cut_short_is_read_again(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.9812))
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await wait_for_text(pilot, "9812/10000")
        run.log.write_bytes(b"")
        await wait_for_text(pilot, "cut short")


async def test_each_chart_fills_the_screen_in_turn_and_escape_brings_all_back(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.progress(1, 5), script.epoch(1), script.epoch(2))
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:

        def shown() -> list[str]:
            return [chart.id for chart in pilot.app.screen.query(Chart) if chart.display]

        assert shown() == ["loss", "accuracy", "steps"]
        for name in ("loss", "accuracy", "steps"):
            await pilot.press("m")
            assert shown() == [name]
        await pilot.press("escape")
        assert shown() == ["loss", "accuracy", "steps"]


async def test_in_a_small_window_b_turns_between_the_two_losses(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.progress(1, 5), script.epoch(1))
    async with staged(TrainingScreen(), tmp_path, SMALL, watched=run) as pilot:
        assert "Loss by step" not in screen_text(pilot)
        await pilot.press("b")
        await wait_for_text(pilot, "Loss by step")


async def test_y_turns_the_accuracy_axis_and_the_title_says_where_it_is(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.98), script.epoch(2, 0.99))
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        titles = ("Accuracy %, train, test", "98.5 to 100", "Error %, test, log scale", "Accuracy %, test ")
        for title in titles:
            await pilot.press("y")
            await wait_for_text(pilot, title)
            await wait_for_text(pilot, "target 0.6" if "Error" in title else "target 99.4")


async def test_y_turns_the_accuracy_axis_of_all_seeds_at_each_press(tmp_path, script):
    group = "g20260101-120000-abcd"
    for seed in (0, 1):
        events = script.started(config={"seed": seed}), script.epoch(1, 0.98), script.finished(1, 0.98)
        run = make_run(tmp_path, script, *events, meta=Meta(f"a-{seed}", (), group), seed=seed)
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await wait_for_text(pilot, "Accuracy %, test, 2 seeds")
        for title in ("98.5 to 100", "Error %, test, log", "Accuracy %, test, 2 seeds"):
            await pilot.press("y")
            await wait_for_text(pilot, title)


async def test_a_curve_that_is_all_below_the_values_around_the_target_is_said_to_be(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1, 0.95), script.epoch(2, 0.98))
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await pilot.press("y", "y")
        await wait_for_text(pilot, "test (below)")


async def test_l_turns_the_losses_to_a_linear_scale_and_back(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.progress(1, 5), script.epoch(1), script.epoch(2))
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await wait_for_text(pilot, "Loss, log scale")
        await wait_for_text(pilot, "Loss by step, log scale")
        await pilot.press("l")
        await wait_for_text(pilot, "Loss, linear")
        await wait_for_text(pilot, "Loss by step, linear")


async def test_another_run_is_shown_as_at_the_start_and_smoothed_lines_say_so(tmp_path, script):
    epochs = [script.epoch(number, 0.9 + number / 1000) for number in range(1, 13)]
    run = make_run(tmp_path, script, script.started(), *epochs)
    other = make_run(tmp_path, script, script.started(), *epochs)
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await pilot.press("s", "z")
        await wait_for_text(pilot, "Accuracy %, test, epochs 3-12")
        await wait_for_text(pilot, "smoothed 0.6")
        pilot.app.screen.lab.run_watch.show(other)
        pilot.app.screen.repaint()
        await wait_for_text(pilot, "Accuracy %, test ")
        assert "smoothed" not in screen_text(pilot)
        assert "epochs 3-12" not in screen_text(pilot)


def test_a_smoothed_curve_begins_with_what_was_before_and_has_its_points_behind_it():
    curves = Curves(ascii_only=False, id="curves")
    curves._look = Look(smoothing=2, zoom=2)
    curves._epochs = np.arange(1.0, 21)
    values = [float(number) for number in range(20)]
    points, line = curves._lines("test", values, 16)
    whole = smoothed(np.array(values), 0.9)
    assert line.ys.tolist() == whole[15:].tolist()
    assert points.ys.tolist() == values[15:]
    assert (points.joined, line.joined, line.marked) == (False, True, False)


async def test_arrows_read_the_charts_at_an_epoch_and_enter_inspects_its_weights(tmp_path, script):
    epochs = [script.epoch(number, 0.97 + number / 100) for number in (1, 2)] + [script.epoch(3, 0.98, lr=0.0377)]
    run = make_run(tmp_path, script, script.started(), script.progress(3, 235), *epochs, script.finished(3, 0.98))
    run.best_weights.write_bytes(b"")
    async with staged(TrainingScreen(), tmp_path, SMALL, watched=run) as pilot:
        await wait_for_text(pilot, "98.00%")
        await wait_for_text(pilot, "target 99.4")
        await pilot.press("left")
        await wait_for_text(pilot, "epoch 3: train ")
        await wait_for_text(pilot, "test 98.00 (9,800), loss ")
        await wait_for_text(pilot, "lr 0.0377")
        assert {chart.id: chart.cursor for chart in pilot.app.screen.query(Chart)} == {
            "loss": 3,
            "accuracy": 3,
            "steps": 3 * 235,
        }
        await pilot.press("enter")
        await wait_for_text(pilot, "the weights of epoch 3")
        await pilot.press("up")
        await wait_for_text(pilot, "epoch 2 (best): train ")
        await pilot.press("escape")
        await wait_for(pilot, lambda: "epoch 2 (best): " not in screen_text(pilot))
        assert all(chart.cursor is None for chart in pilot.app.screen.query(Chart))


async def test_the_mouse_reads_the_charts_too(tmp_path, script):
    epochs = [script.epoch(number, 0.9 + number / 1000) for number in range(1, 21)]
    run = make_run(tmp_path, script, script.started(), *epochs)
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        await wait_for_text(pilot, "target 99.4")
        chart = pilot.app.screen.query_one("#accuracy", Chart)
        await pilot.mouse_down(chart, offset=(chart.size.width // 2 + 3, 3))
        await wait_for_text(pilot, "epoch 1")
        reached = chart.cursor
        assert 8 <= reached <= 13
        await pilot.hover(chart, offset=(chart.size.width - 1, 4))
        assert chart.cursor == reached


async def test_the_load_of_this_process_is_not_shown_for_a_run_that_another_one_has_taken_over(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.progress(1, 5))
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        pilot.app.session.job = Job([])
        pilot.app.session.job.run_ids.append(run.id)
        await wait_for_text(pilot, "Device CPU")
        pilot.app.session.job.done.set()
        await wait_for_text(pilot, "trained by another process")


async def test_x_asks_a_run_of_another_process_to_stop(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.progress(1, 5))
    async with opened(tmp_path) as pilot:
        await _open(pilot, run)
        await pilot.press("x")
        await wait_for(pilot, run.wants_stop)


async def test_a_run_that_nobody_trains_is_not_asked_to_stop(tmp_path, script):
    run = make_run(tmp_path, script, script.started(), script.epoch(1), script.finished())
    async with opened(tmp_path) as pilot:
        await _open(pilot, run)
        pilot.app.session.job = Job([])  # another run is being trained
        pilot.app.post_message(StopRequested(run))
        await pilot.press("x")
        await wait_for_text(pilot, "Nothing to stop")
        pilot.app.session.job.done.set()
    assert not run.wants_stop()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(10))
async def test_many_resizes_leave_a_whole_screen(tmp_path, script, seed):
    run, rng = make_run(tmp_path, script, script.started(), script.epoch(1), script.epoch(2)), random.Random(seed)
    async with staged(TrainingScreen(), tmp_path, watched=run) as pilot:
        for _ in range(15):
            await pilot.resize_terminal(rng.randrange(10, 160), rng.randrange(5, 55))
        await pilot.resize_terminal(50, 15)
        await wait_for_text(pilot, "needs a window of 60 by 20")
        await pilot.resize_terminal(120, 40)
        await wait_for_text(pilot, "Accuracy: 9900/10000 (99.00%)")
        await wait_for_text(pilot, "100")


async def test_a_long_learning_rate_is_shown_in_four_digits(tmp_path, script):
    run = make_run(tmp_path, script, script.started(config={"lr": 0.06577746163470212}), script.finished())
    async with staged(TrainingScreen(), tmp_path, SMALL, watched=run) as pilot:
        assert "lr 0.06578  batch 256" in pilot.app.screen.query_one("#run-title", Line).text


async def test_a_stored_run_is_opened_with_all_of_its_facts(tmp_path, script):
    make_run(tmp_path, script, script.started(), script.epoch(1, 0.5), script.finished(1, 0.5))
    async with opened(tmp_path) as pilot:
        await pilot.press("3")
        await wait_for_text(pilot, "50.00%")
        await pilot.press("enter")
        for fact in ("Best   50.00%", "Target 99.4%", "After  epoch 3", "Device"):
            await wait_for_text(pilot, fact)


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_trends_take_the_place_of_the_scores_and_give_it_back(tmp_path, script, size):
    gauges = {"gradient_norms": {"Conv2d-1": 0.3}, "update_ratios": {"Conv2d-1": 0.001}}
    epochs = [script.epoch(number, 0.98, lr=0.01 * number, **gauges) for number in (1, 2, 3)]
    run = make_run(tmp_path, script, script.started(), *epochs)
    async with staged(TrainingScreen(), tmp_path, size, watched=run) as pilot:
        await wait_for_text(pilot, "9800/10000")
        await pilot.press("T")
        await wait_for_text(pilot, "Learning rate")
        await wait_for_text(pilot, "▁▅█")
        assert not pilot.app.screen.query_one("#epochs").display
        assert "grad Conv2d-1" in screen_text(pilot)
        await pilot.press("T")
        await wait_for(pilot, lambda: pilot.app.screen.query_one("#epochs").display)
        await wait_for(pilot, lambda: "Learning rate" not in screen_text(pilot))


def test_every_fact_and_every_row_of_the_screen_is_explained_in_its_help(script):
    explained = dict(TrainingScreen().explained())
    gauges = {"gradient_norms": {"Conv2d-1": 0.3}, "update_ratios": {"Conv2d-1": 0.001}}
    view = script.view(script.started(), script.epoch(1, **gauges))
    assert {fact.name for fact in facts_of(view, {}, "")} <= explained.keys()
    assert {row.name.replace("Conv2d-1", "LAYER") for row in rows_of(view, (1.0,))} <= explained.keys()
    assert {f'"{words}"' for words in WORDS.values()} <= explained.keys()


def _seeds(home, script, count: int, **changes) -> list:
    """Runs of one group, the last of which is live."""
    runs = []
    for seed in range(count):
        config = {"arch": "conv5", "seed": seed, "epochs": 20, "target": 99.4} | changes
        meta = Meta(name=f"try-{seed}", group_id="g1")
        runs.append(make_run(home, script, script.started(config=config), meta=meta, seed=seed))
    return runs


async def test_the_seeds_of_a_group_are_in_one_chart_and_each_is_one_key_away(tmp_path, script):
    runs = _seeds(tmp_path, script, 3)
    for seed, run in enumerate(runs[:2]):
        script.write(run, *(script.epoch(number, 0.97 + seed / 100) for number in (1, 2, 3)), script.finished())
        run.release()
    async with staged(TrainingScreen(), tmp_path, watched=runs[2]) as pilot:
        watch = pilot.app.run_watch
        await wait_for_text(pilot, "Accuracy %, test, 3 seeds")
        await wait_for_text(pilot, "mean of 2")
        script.write(runs[2], script.epoch(1, 0.96), script.epoch(2, 0.965))
        await wait_for_text(pilot, "● mean of 3, dots: one sd  ")
        await wait_for_text(pilot, "seed 2 (3 of 3)")
        watch.turn(1)
        await wait_for_text(pilot, "seed 0 (1 of 3)")
        await wait_for_text(pilot, "✓ finished")
        watch.turn(-1)
        await wait_for_text(pilot, "seed 2 (3 of 3)")
        await wait_for_text(pilot, "● running")
        await pilot.press("left")
        await wait_for_text(pilot, "epoch 3: ")
        await pilot.press("left")
        await wait_for_text(pilot, "seed 2 96.5")
        await pilot.press("escape", "h")
        await wait_for_text(pilot, "Accuracy %, test ")
        assert "3 seeds" not in screen_text(pilot)


def test_the_mean_is_over_the_epochs_that_all_seeds_that_count_have(tmp_path, script):
    runs = _seeds(tmp_path, script, 3)
    script.write(runs[0], *(script.epoch(number, value) for number, value in ((1, 0.9), (2, 0.92), (3, 0.94))))
    script.write(runs[1], script.epoch(1, 0.8), script.epoch(2, 0.9))
    script.write(runs[2], script.epoch(1, 0.1), script.failed(2))
    runs[2].release()
    followers = [Follower(run) for run in runs]
    for follower in followers:
        follower.finish()
    *seeds, mean = seed_curves(followers, runs[1].id, accuracy, 0.0, 1)
    assert [curve.marked for curve in seeds] == [False, True, False]
    assert len({curve.number for curve in (*seeds, mean)}) == 4
    assert mean.number == MEAN
    assert mean.xs.tolist() == [1, 2]
    assert mean.ys.tolist() == pytest.approx([0.85, 0.91])
    low, high = mean.band
    assert (high - mean.ys).tolist() == pytest.approx([0.1 / 2**0.5, 0.02 / 2**0.5])
    assert (mean.ys - low).tolist() == pytest.approx((high - mean.ys).tolist())


def test_no_seed_has_the_number_or_the_colour_of_the_mean():
    numbers = [number_of(place) for place in range(30)]
    assert len(set(numbers)) == 30
    assert all(number % 8 != MEAN for number in numbers)
