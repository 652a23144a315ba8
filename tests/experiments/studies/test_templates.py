"""Searches over a template of networks: proposals within the budget, the study's files, and what is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sweep_tools import Inline, Scripted, drive, three_epochs, tiny_plan

from core.errors import InvalidValue, OverBudget, SpecError
from core.models.spec import find
from core.models.summary import summarize
from experiments.studies.folder import StudyFolder
from experiments.studies.plan import SweepPlan
from experiments.studies.proposals import Proposals
from experiments.studies.space import Space
from experiments.studies.trials import Trials
from experiments.studies.view import add_trial, study_view

TEMPLATE = "c{4:16:2} c{4:16}p1 p2 s{16,24,32}p1 [s32p1] p2 rep{1:2}(s{8:40}p1) gap fc10"
BUDGET = 2_000


def template_plan(text=TEMPLATE, *, lr="0.1", budget=BUDGET, **fields):
    return tiny_plan({"arch": text, "lr": lr, "max_params": str(budget)}, **fields)


def params_of(spec):
    return summarize(find(spec)).total_params


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_every_proposal_is_within_the_budget_and_a_spec_of_the_template(locations, script, sampler):
    plan = template_plan(sampler=sampler, trials=40)
    drive(locations, plan, Scripted(script, three_epochs(script)))
    view = study_view(locations.home, "s")
    assert (view.count("finished"), view.count("rejected")) == (40, 0)
    specs = [plan.space.spec(trial.params) for trial in view.trials]
    assert max(map(params_of, specs)) <= BUDGET
    assert len(set(specs)) > 10
    for trial in view.trials:
        assert all(plan.space.dimension(name).holds(value) for name, value in trial.params.items())


def test_widths_reach_the_budget_and_each_of_them_is_sometimes_the_last(locations, script):
    plan = template_plan("c{4:60} p2 c{4:60} gap fc10", sampler="random", trials=40)
    drive(locations, plan, Scripted(script, three_epochs(script)))
    chosen = [trial.params for trial in study_view(locations.home, "s").trials]
    sizes = [params_of(plan.space.spec(params)) for params in chosen]
    assert sum(size > 0.9 * BUDGET for size in sizes) > 10
    assert any(params["arch.1"] > params["arch.2"] for params in chosen)
    assert any(params["arch.2"] > params["arch.1"] for params in chosen)


def test_two_rows_of_choices_that_are_one_network_are_trained_once(locations, store, script):
    plan = template_plan("c8 [s{8,16}p1] gap fc10", sampler="grid", trials=4)
    drive(locations, plan, Scripted(script, three_epochs(script)))
    view = study_view(locations.home, "s")
    assert view.count("finished") == 4
    assert len(store.runs()) == 3
    assert sorted(run.config()["arch"] for run in store.runs()) == sorted(
        ["c8 gap fc10", "c8 s8p1 gap fc10", "c8 s16p1 gap fc10"]
    )


def test_trials_keep_the_plain_spec_and_the_study_its_template(locations, store):
    plan = template_plan(trials=1)
    drive(locations, plan, Inline(locations))
    folder = StudyFolder.of(locations.home, "s")
    stored = folder.plan()
    assert stored == plan
    assert stored.to_json()["space"] == {"arch": TEMPLATE}
    (trial,) = study_view(locations.home, "s").trials
    run = store.run(trial.run_id)
    assert run.config()["arch"] == plan.space.spec(trial.params) == find(run.config()["arch"]).spec


def test_a_study_of_an_earlier_version_opens():
    """Its record has neither seeds nor a race, and its objective is one word."""
    record = tiny_plan().to_json()
    for key in ("seeds_per_trial", "race"):
        del record[key]
    assert SweepPlan.from_json(record) == tiny_plan()


def test_importance_is_by_choice(locations, script):
    def play(run, life):
        width = int(run.config()["arch"].split()[0][1:])
        yield from three_epochs(script, width / 20)(run, life)

    drive(locations, template_plan("c{4:16} p2 c{4,8} gap fc10", trials=20), Scripted(script, play))
    importance = study_view(locations.home, "s").importance
    assert set(importance) == {"arch.1", "arch.2"}
    assert importance["arch.1"] > importance["arch.2"]


def test_a_killed_driver_leaves_choices_that_the_next_one_completes(locations, script):
    plan = template_plan(trials=1)
    folder = StudyFolder.of(locations.home, "s")
    folder.write_plan(plan)
    trial = Trials(folder, plan)._study.ask()
    kept = plan.space.dimension("arch.3").suggest(trial)
    drive(locations, plan, Scripted(script, three_epochs(script)))
    (found,) = study_view(locations.home, "s").trials
    assert (found.state, found.params["arch.3"]) == ("finished", kept)
    assert params_of(plan.space.spec(found.params)) <= BUDGET


def test_choices_are_added_by_hand_and_a_width_outside_of_the_template_is_not(locations, script):
    plan = template_plan(trials=1)
    drive(locations, plan, Scripted(script, three_epochs(script)))
    number = add_trial(locations.home, "s", {"arch.1": "6", "arch.4": "false"})
    with pytest.raises(InvalidValue, match=r"arch.1 = 5: must lie within 4:16:2"):
        add_trial(locations.home, "s", {"arch.1": "5"})
    with pytest.raises(InvalidValue, match="must lie within"):
        add_trial(locations.home, "s", {"arch.4": "maybe"})
    drive(locations, plan, Scripted(script, three_epochs(script)))
    added = study_view(locations.home, "s").trials[number]
    assert (added.state, added.params["arch.1"], added.params["arch.4"]) == ("finished", 6, False)


def test_a_template_whose_smallest_network_is_over_the_budget_is_refused():
    plan = template_plan(budget=500)
    with pytest.raises(OverBudget, match=r"the smallest network of the template has \d+ parameters, at most 500"):
        Proposals(plan.base, plan.space).check_feasible()
    unlimited = replace(plan, base=plan.base.changed(budget=False))
    Proposals(unlimited.base, unlimited.space).check_feasible()


@pytest.mark.parametrize(
    "text",
    [
        "c{8:20 gap fc10",
        "c{8:12} p2 fc11",
        "c8 [p14] c{8,9}k29 gap fc10",
        "c{0:8} gap fc10",
        "c8 rep{0:3}(c8p1) gap fc10",
    ],
)
def test_a_template_that_is_wrong_or_fits_no_image_is_refused_at_once(text):
    with pytest.raises(SpecError, match="position"):
        Space.parse({"arch": text}, "mnist")
