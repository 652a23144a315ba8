"""The parts of the interface that are plain functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sweep_tools import tiny_plan

from core.config import TrainConfig
from core.events import RunFailed
from experiments.runs.row import Status
from experiments.studies.view import StudyView, TrialView
from tui.drawing.ascii import to_ascii
from tui.drawing.series import bucketed, smoothed
from tui.live.forms.fields import ADVANCED_FIELDS, MAIN_FIELDS, help_text
from tui.live.forms.form import changed_fields, check, texts_of
from tui.screens.help import screen_keys
from tui.screens.runs.screen import RunsScreen
from tui.text.wording import budget_in_words, what_failed
from tui.widgets.charts.study_charts import importance_lines
from tui.widgets.lines.progress_panel import fraction_done, overall, seconds_left


def test_every_field_of_a_config_is_in_the_form_with_help():
    assert {*MAIN_FIELDS, *ADVANCED_FIELDS, "arch"} == set(TrainConfig.model_fields)
    assert all(help_text(field) for field in (*MAIN_FIELDS, *ADVANCED_FIELDS))


def test_a_config_comes_back_from_its_texts():
    values = {"lr": 1e-05, "nesterov": True, "limit_train": 100, "schedule": "onecycle", "device": "cpu", "seed": 7}
    config = TrainConfig.checked(values)
    assert check(texts_of(config.model_dump()), config.arch).config == config


def test_fields_changed_in_meaning_only():
    assert changed_fields({"lr": "0.10", "seed": "1"}, {"lr": "0.1", "seed": "0"}) == {"seed": "0"}


@pytest.mark.parametrize(
    ("total", "budget", "words"),
    [
        (19_458, 20_000, "19,458 of 20,000, 542 left"),
        (20_001, 20_000, "20,001 of 20,000, 1 over the budget"),
        (20_001, None, "20,001 parameters, no budget"),
    ],
)
def test_the_budget_in_words(total, budget, words):
    assert budget_in_words(total, budget) == words


def test_buckets_keep_the_extremes_and_bound_the_points():
    ys = np.sin(np.arange(100_000) / 50)
    ys[77_777] = 9.0
    xs, lowest_and_highest = bucketed(np.arange(100_000.0), ys, 120)
    assert len(xs) <= 242
    assert max(lowest_and_highest) == 9.0
    assert list(xs) == sorted(xs)
    assert (xs[0], xs[-1]) == (0, 99_999)


def test_smoothing_passes_over_what_is_not_finite_and_starts_at_the_first_value():
    assert smoothed(np.array([4.0, math.nan, math.inf, 4.0]), 0.9) == pytest.approx([4.0] * 4)
    assert smoothed(np.array([1.0, 2.0]), 0).tolist() == [1.0, 2.0]
    assert smoothed(np.array([math.nan, 1.0, 2.0]), 0.5) == pytest.approx([math.nan, 1.0, 5 / 3], nan_ok=True)
    assert np.isnan(smoothed(np.array([math.nan]), 0.9)).all()


def test_ascii_keeps_the_width_of_everything():
    text = "╭─ Loss ─╮ ⣀⡠ ● ✓ … ◂auto▸ 100%|█▌ | é 漢"
    assert to_ascii(text).isascii()
    assert len(to_ascii(text)) == len(text)


def test_time_left_goes_by_the_last_epochs(script):
    view = script.view(script.started(), script.progress(1, 235))
    assert seconds_left(view) == pytest.approx(19 * 60_000 / 7040, rel=1e-3)
    view = script.view(script.started(), script.epoch(1), script.epoch(2))
    assert fraction_done(view) == pytest.approx(0.1)
    assert seconds_left(view) == pytest.approx(18 * 8.0)
    assert "2m 24s left" in overall(view, Status.RUNNING, 100)
    assert overall(script.view(), Status.RUNNING, 100) == ""


def test_a_run_that_may_end_early_has_at_most_so_long_to_go_and_is_whole_when_it_has(script):
    begun = (script.started(config={"early_stop": 2}), *(script.epoch(epoch, 0.9) for epoch in (1, 2)))
    running = script.view(*begun)
    assert "at most 2m 24s left" in overall(running, Status.RUNNING, 100)
    ended = script.view(*begun, script.epoch(3, 0.9), script.finished(3, 0.9, ended_by="early_stop"))
    assert fraction_done(ended) == 1.0
    assert "whole run 100%" in overall(ended, Status.FINISHED, 100)
    assert "finished early after 25.0s" in overall(ended, Status.FINISHED, 100)
    stopped = script.view(*begun, script.stopped(3))
    assert fraction_done(stopped) == pytest.approx(0.1)
    assert " early" not in overall(stopped, Status.STOPPED, 100)


def _study_of(values: list[float], *, repeated: int = 0) -> StudyView:
    """A study of finished trials and a pruned one, of which some repeat others."""
    rest = {"run_id": None, "reason": "", "added": False, "started": None, "seconds": None, "params": {}, "values": {}}
    ended = [("finished", value, place < repeated) for place, value in enumerate(values)] + [("pruned", None, False)]
    trials = [
        TrialView(number=number, state=state, value=value, repeats=repeats, **rest)
        for number, (state, value, repeats) in enumerate(ended)
    ]
    return StudyView(name="s", plan=tiny_plan(), trials=tuple(trials), best=None, importance={}, is_driven=False)


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (_study_of([0.9] * 3), "needs 8 finished trials, has 3"),
        (_study_of([0.9] * 12, repeated=5), "needs 8 finished trials of different params, has 7"),
        (_study_of([0.9] * 12), "all trials score the same"),
    ],
)
def test_why_there_is_no_importance_goes_by_the_trials_that_count(view, words):
    assert importance_lines(view, 30).plain == words


def test_an_error_that_names_its_epoch_does_not_name_it_twice():
    assert what_failed(RunFailed(epoch=1, error="the loss is not finite in epoch 1")) == "the loss is not finite"


def test_the_help_has_a_line_for_each_key_whatever_it_does_at_which_moment():
    keys = screen_keys(RunsScreen())
    assert len(dict(keys)) == len(keys)
    assert dict(keys)["esc"] == "Leave the filter as it is; show all runs again; take all marks away"
    assert dict(keys)["d"] == "Delete it, or all that is marked, after a question"
