"""What presets report is what the groups under docs/results/groups say: their bundles, or the epochs of all seeds."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.events import RunFinished
from experiments.bundles.unpack import unpacked
from experiments.presets.loader import load_preset
from experiments.runs.environment import PERSONAL
from experiments.runs.recipe import differing_fields
from experiments.statistics.descriptive import describe

GROUPS = Path(__file__).parents[3] / "docs" / "results" / "groups"
BUNDLES, TABLES = sorted(GROUPS.glob("*.zip")), sorted(GROUPS.glob("*.csv"))


def name_of(path: Path) -> str:
    return path.stem


def check_reported(name: str, accuracies: Mapping[int, float]) -> None:
    reported, found = load_preset(name).reported, describe(list(accuracies.values()))
    assert sorted(accuracies) == list(range(reported["seeds"]))
    assert round(found.mean, 4) == reported["final_test_accuracy"]
    assert round(found.sd, 4) == reported["final_test_accuracy_sd"]


@pytest.mark.parametrize("path", BUNDLES, ids=name_of)
def test_a_preset_reports_what_the_bundle_of_its_group_says(path):
    preset, accuracies = load_preset(path.stem), {}
    with unpacked(path) as found:
        for run, checks in found:
            view = run.view()
            assert all(check.agrees for check in checks)
            assert isinstance(view.end, RunFinished)
            assert differing_fields([view.config, preset.config.model_dump() | {"dataset": "mnist"}]) == []
            assert not {*PERSONAL} & run.environment().keys()
            assert view.started.total_params == preset.reported["total_params"]
            accuracies[view.config["seed"]] = view.end.final_test_accuracy
    check_reported(path.stem, accuracies)


@pytest.mark.parametrize("path", TABLES, ids=name_of)
def test_a_preset_reports_what_the_epochs_of_its_group_say(path):
    epochs = str(load_preset(path.stem).config.epochs)
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["epoch"] == epochs]
    check_reported(path.stem, {int(row["seed"]): float(row["test_accuracy"]) for row in rows})


def test_all_that_was_measured_is_small():
    assert BUNDLES
    assert TABLES
    assert sum(path.stat().st_size for path in GROUPS.parent.rglob("*") if path.is_file()) < 5 << 20
