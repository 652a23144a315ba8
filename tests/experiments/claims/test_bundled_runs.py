"""The runs of the claims under docs/results/claims are those that the study asks for, seed by seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.events import RunFinished
from experiments.bundles.unpack import unpacked
from experiments.claims.rules import ARMS, MAX_REPEATS
from experiments.claims.study import TAG, Design
from experiments.runs.environment import PERSONAL
from experiments.runs.recipe import differing_fields

BUNDLES = sorted((Path(__file__).parents[3] / "docs" / "results" / "claims").glob("*.zip"))
ARM_OF = {f"{TAG}-{arm.name}": arm for arm in ARMS}


def test_every_recipe_has_a_bundle():
    assert {path.stem for path in BUNDLES} == ARM_OF.keys()


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_a_bundle_has_the_first_seeds_of_its_recipe_each_finished_and_as_its_log_says(path):
    arm = ARM_OF[path.stem]
    with unpacked(path) as found:
        design = Design.of(len(found), dataset="mnist")
        for run, checks in found:
            view = run.view()
            assert all(check.agrees for check in checks)
            assert isinstance(view.end, RunFinished)
            assert {TAG, f"{TAG}:{arm.name}"} <= {*run.meta().tags}
            assert not {*PERSONAL} & run.environment().keys()
            assert differing_fields([view.config, design.config(arm, view.config["seed"]).model_dump()]) == []
        seeds = sorted(run.view().config["seed"] for run, _ in found)
    assert seeds == list(range(MAX_REPEATS if arm.repeats else len(seeds)))
