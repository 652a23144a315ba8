"""A study in words: the flags that train one of its configs again."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

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


def test_the_flags_of_a_trial_of_several_seeds_train_all_of_them():
    options = {"lr": "0.1:0.5", "seed": "3"}
    plan = make_plan(("--preset", "modern"), options, objective="val", budget=None)
    words = flags_of(replace(plan, seeds_per_trial=4), {"lr": 0.2})
    assert "--seed" not in words
    assert words[-2:] == ["--seeds", "3-6"]
