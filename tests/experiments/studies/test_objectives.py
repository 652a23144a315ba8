"""Objectives as they are written, the Pareto front of several, and what a finished run is scored by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna import create_study
from optuna.trial import create_trial
from sweep_tools import Inline, drive, tiny_plan

from core.config import TrainConfig
from core.errors import InvalidValue
from core.models.network import summarize_config
from experiments.runs.view import RunView
from experiments.studies.objectives import check_costs, cost, direction, front, mean_scores, parse_objectives
from experiments.studies.view import study_view


@pytest.mark.parametrize("text", ["val", "test", "val,params", "test, seconds", "val,params,macs,seconds"])
def test_an_accuracy_comes_first_and_then_any_costs(text):
    assert ",".join(parse_objectives(text)) == text.replace(" ", "")


@pytest.mark.parametrize(
    "text", ["", "params", "params,val", "val,test", "val,params,params", "val,", "loss", "val;macs"]
)
def test_anything_else_is_refused_in_a_line_that_says_what_is_allowed(text):
    with pytest.raises(InvalidValue, match="must be one of val, test, then any of params, macs, seconds"):
        parse_objectives(text)


NUMBERS = st.integers(0, 4).map(float)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), max_size=12))
def test_the_front_is_the_one_that_optuna_finds(scores):
    objectives = ("val", "params", "seconds")
    study = create_study(directions=[direction(objective) for objective in objectives])
    study.add_trials([create_trial(values=list(row)) for row in scores])
    assert front(scores, objectives) == sorted(trial.number for trial in study.best_trials)


def test_the_mean_over_seeds_is_taken_of_each_objective():
    assert mean_scores([(0.5, 10.0), (0.7, 10.0)]) == (pytest.approx(0.6), 10.0)


def test_costs_are_those_of_the_run(locations, store):
    plan = tiny_plan({"lr": "0.1,0.2"}, objective="val,params,macs,seconds", trials=1)
    drive(locations, plan, Inline(locations))
    (trial,) = study_view(locations.home, "s").trials
    summary = summarize_config(plan.config(trial.params))
    view = store.run(trial.run_id).view()
    assert trial.scores[:3] == (view.accuracies[2], summary.total_params, summary.macs)
    rates = sorted(epoch.images_per_second for epoch in view.epochs)
    assert trial.scores[3] == pytest.approx(128 / (sum(rates) / 2), abs=1e-6)


def test_a_run_without_a_start_or_an_epoch_has_no_costs():
    assert [cost(name, RunView(), TrainConfig()) for name in ("params", "seconds")] == [None, None]


def test_multiply_adds_of_a_module_of_ones_own_are_no_objective():
    check_costs(("val", "params"), "net.py:Net")
    with pytest.raises(InvalidValue, match="is not counted in multiply-adds"):
        check_costs(("val", "macs"), "net.py:Net")
