"""A study in words: the flags that train one of its configs again."""

from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import pairwise

import pytest
from typed_commands import typed

from experiments.runs.recipe import differing_fields
from experiments.studies.plan import make_plan
from tui.text.study_report import flags_of


def test_the_flags_of_a_trial_make_its_config_again():
    options = {"lr": "0.1:0.5", "nesterov": "true,false", "arch": "conv9,conv5", "val_split": "500"}
    plan = make_plan(("--preset", "modern"), options, objective="val", budget=None)
    words = flags_of(plan, {"lr": 0.123456789012, "nesterov": False, "arch": "conv5"})
    assert words[:2] == ["--preset", "modern"]
    assert "--no-nesterov" in words
    pairs = dict(pairwise(words))
    assert (pairs["--lr"], pairs["--val-split"], pairs["--arch"]) == ("0.123456789012", "500", "conv5")
    assert "--epochs" not in words


@pytest.mark.parametrize(
    ("options", "params", "budget"),
    [
        ({"lr": "0.1:0.5", "warmup_epochs": "2", "schedule": "cosine,onecycle"}, {"schedule": "onecycle"}, None),
        ({"lr": "0.1:0.5", "warmup_epochs": "2", "schedule": "cosine,onecycle"}, {"schedule": "cosine"}, None),
        ({"lr": "0.1:0.5", "epochs": "30", "arch": "c64 gap fc10"}, {}, False),
    ],
)
def test_run_takes_the_flags_of_a_trial_and_makes_its_config_of_them(options, params, budget):
    plan = make_plan(("--preset", "seed-conv9"), options, objective="test", budget=budget)
    words = flags_of(plan, {"lr": 0.25, **params})
    made, wanted = typed(shlex.join(["mnist-tui", "run", *words])).config, plan.config({"lr": 0.25, **params})
    assert differing_fields([made.model_dump(), wanted.model_dump()]) == []


def test_the_flags_of_a_trial_of_several_seeds_train_all_of_them():
    options = {"lr": "0.1:0.5", "seed": "3"}
    plan = make_plan(("--preset", "modern"), options, objective="val", budget=None)
    words = flags_of(replace(plan, seeds_per_trial=4), {"lr": 0.2})
    assert "--seed" not in words
    assert words[-2:] == ["--seeds", "3-6"]
