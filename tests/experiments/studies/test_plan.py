"""What a sweep is asked to do: plans, their data and budgets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.config import TrainConfig
from core.errors import InvalidValue, OverBudget
from experiments.execution.runner import Runner
from experiments.runs.folder import Meta
from experiments.studies.code import keep_code, read_code
from experiments.studies.folder import StudyFolder
from experiments.studies.plan import SweepPlan, continued, make_plan, settle_data
from experiments.studies.proposals import Proposals
from experiments.studies.view import check_trial

PRESET = ("--preset", "modern")
MODULE = """
from torch import nn
print("from the module")

class Small(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))

class Large(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 32), nn.Linear(32, 10))
"""


@pytest.fixture
def data(blobs):
    """320 training images by the name of a data set that a config may have."""
    return replace(blobs, name="mnist-5k")


def plan_of(options, *, origin=PRESET, objective="val", budget=None):
    return make_plan(origin, options, objective=objective, budget=budget)


def test_flags_lie_over_the_preset_and_ranges_span_the_space():
    plan = plan_of({"lr": "0.1:0.5", "epochs": "3"})
    assert plan.space.to_json() == {"lr": "0.1:0.5"}
    assert (plan.base.epochs, plan.base.schedule) == (3, "onecycle")


def test_nothing_that_varies_is_no_search():
    with pytest.raises(InvalidValue, match="nothing to search yet"):
        plan_of({"lr": "0.1"})


def test_the_validation_split_cannot_be_zero_unless_the_test_set_is_asked_for():
    with pytest.raises(InvalidValue, match="held-out"):
        plan_of({"lr": "0.1:0.5", "val_split": "0"})
    assert plan_of({"lr": "0.1:0.5", "val_split": "0"}, objective="test").base.val_split == 0


@pytest.mark.parametrize(("options", "held_out"), [({}, 32), ({"limit_train": "200"}, 20), ({"val_split": "7"}, 7)])
def test_a_tenth_of_the_training_images_is_held_out_unless_something_else_is_said(data, options, held_out):
    plan = settle_data(plan_of({"lr": "0.1:0.5", **options}, origin=("--preset", "seed-conv9")), data)
    assert plan.base.val_split == held_out
    assert plan.base.dataset == "mnist-5k"


def test_nothing_is_held_out_where_the_test_set_is_the_objective(data):
    plan = plan_of({"lr": "0.1:0.5"}, origin=("--preset", "seed-conv9"), objective="test")
    assert settle_data(plan, data).base.val_split == 0


def test_too_few_images_to_hold_any_out_are_refused(data):
    with pytest.raises(InvalidValue, match="too few"):
        settle_data(plan_of({"lr": "0.1:0.5", "limit_train": "9"}, origin=("--preset", "seed-conv9")), data)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lr": "0.1:0.6"}, "lr was 0.1:0.5, now 0.1:0.6"),
        ({"lr": "0.1"}, "lr was 0.1:0.5, now fixed at 0.1"),
        ({"momentum": "0.8,0.9"}, "momentum was fixed at 0.9, now 0.8,0.9"),
        ({"epochs": "4"}, "epochs was 3, now 4"),
    ],
)
def test_the_difference_to_another_search_is_named(change, named):
    options = {"lr": "0.1:0.5", "batch_size": "64,128", "epochs": "3"}
    assert plan_of(options).difference(plan_of(options | change)) == named


@pytest.mark.parametrize("options", [{"lr": "0.3"}, {"arch": "conv5"}, {"epochs": "3", "arch": "c8 gap fc10"}])
def test_a_study_is_not_continued_with_one_value_of_what_it_searches(options):
    for archs in ("conv9,conv5", "c{8:20:2} gap fc10"):
        plan = plan_of({"lr": "0.1:0.5", "arch": archs, "epochs": "3"})
        assert continued(plan, {"epochs": "3"}, objective=None, budget=None) == plan
        with pytest.raises(InvalidValue, match="the study searches") as caught:
            continued(plan, options, objective=None, budget=None)
        field = "lr" if "lr" in options else "arch"
        assert (caught.value.field, caught.value.value) == (field, options[field])


def test_a_plan_of_own_modules_is_read_when_their_files_have_moved(tmp_path, locations):
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(MODULE)
    plan = replace(plan_of({"arch": f"{tmp_path}/one.py:Small,{tmp_path}/two.py:Small"}), sampler="grid", trials=2)
    folder, runner = StudyFolder.of(locations.home, "s"), Runner(locations)
    Proposals(plan.base, plan.space, runner.first_read).check_feasible()
    folder.write_plan(plan)
    keep_code(folder, plan, runner.first_read)
    (tmp_path / "two.py").rename(tmp_path / "elsewhere.py")
    assert folder.plan() == plan
    assert continued(plan, {"epochs": "3"}, objective=None, budget=None).base.epochs == 3
    again = Runner(locations)
    (note,) = read_code(folder, plan, again.first_read)
    assert "its trials go on with the study's own copy" in note
    Proposals(plan.base, plan.space, again.first_read).check_feasible()
    config = plan.config({"arch": f"{tmp_path}/two.py:Small"})
    assert again.create(config, Meta("s-1")).folder.joinpath("source", "two.py").read_text() == MODULE
    assert check_trial(plan, {"arch": config.arch}) == {"arch": config.arch}
    with pytest.raises(InvalidValue, match="must lie within"):
        check_trial(plan, {"arch": f"{tmp_path}/elsewhere.py:Small"})
    with pytest.raises(InvalidValue, match="no such file"):
        plan_of({"arch": f"{tmp_path}/one.py:Small,{tmp_path}/two.py:Small"})


def test_objective_makes_a_difference_but_device_and_length_do_not():
    options = {"lr": "0.1:0.5", "batch_size": "64,128"}
    plan = plan_of(options)
    assert "objective" in plan.difference(plan_of(options, objective="test"))
    assert plan.difference(replace(plan_of({**options, "device": "cpu"}), trials=99, sampler="random")) == ""


def test_an_over_budget_proposal_is_refused_with_the_reason():
    proposals = Proposals(TrainConfig.checked({"max_params": 19_000}), plan_of({"arch": "conv9,conv5"}).space)
    assert proposals.config({"arch": "conv5"}).arch == "conv5"
    with pytest.raises(OverBudget, match="19,458 parameters"):
        proposals.config({"arch": "conv9"})
    with pytest.raises(OverBudget, match="epochs = 21"):
        proposals.config({"arch": "conv5", "epochs": 21})


def test_a_space_is_refused_only_when_all_of_it_is_over_the_budget():
    space = plan_of({"arch": "conv9,conv5", "epochs": "18:40"}).space
    Proposals(TrainConfig.checked({"max_params": 19_000}), space).check_feasible()
    with pytest.raises(OverBudget, match="the whole search space"):
        Proposals(TrainConfig.checked({"max_params": 9_000}), space).check_feasible()
    with pytest.raises(OverBudget, match="the whole search space"):
        Proposals(TrainConfig.checked({"max_epochs": 17, "epochs": 17}), space).check_feasible()


def test_what_does_not_vary_need_go_together_only_with_some_of_what_does():
    plan = plan_of({"lr": "0.001:0.5:log", "schedule": "cosine", "min_lr": "0.1"})
    assert Proposals(plan.base, plan.space).config({"lr": 0.2}).min_lr == 0.1
    with pytest.raises(InvalidValue, match=r"min_lr = 0.1: must be at most the learning rate, 0.05"):
        Proposals(plan.base, plan.space).config({"lr": 0.05})
    again = SweepPlan.from_json(plan.to_json())
    assert again.difference(plan) == plan.difference(again) == ""
    with pytest.raises(InvalidValue, match=r"min_lr = 5"):
        plan_of({"lr": "0.001,0.05", "schedule": "cosine", "min_lr": "5"})
    averaged = plan_of({"swa": "true", "ema": "true,false"}, origin=("--preset", "best-20k"))
    assert (averaged.base.swa, averaged.base.ema) == (True, False)  # the preset has ema


def test_lists_of_epochs_are_values_of_a_search():
    plan = plan_of({"schedule": "multistep", "milestones": "2+4,3"})
    proposals = Proposals(plan.base, plan.space)
    assert [proposals.config({"milestones": value}).milestones for value in plan.space.grid()["milestones"]] == [
        "2,4",
        "3",
    ]


def test_a_warmup_is_held_against_the_epochs_that_vary():
    plan = plan_of({"epochs": "10,20", "warmup_epochs": "15", "schedule": "cosine"})
    Proposals(plan.base, plan.space).check_feasible()
    with pytest.raises(InvalidValue, match=r"warmup_epochs = 15.0: must be below the 10 epochs"):
        Proposals(plan.base, plan.space).config({"epochs": 10})


def test_a_space_in_which_no_values_go_together_is_refused():
    space = plan_of({"nesterov": "true,false", "lr": "0.1:0.2"}).space
    Proposals(TrainConfig.checked({"momentum": 0.0}), space).check_feasible()
    others = plan_of({"optimizer": "sgd,adam", "nesterov": "true"}).space
    Proposals(TrainConfig.checked({"momentum": 0.0}), others).check_feasible()
    with pytest.raises(InvalidValue, match="nesterov"):
        Proposals(TrainConfig.checked({"momentum": 0.0}), plan_of({"lr": "0.1:0.2"}).space).config({"nesterov": True})


def test_the_parameters_of_a_module_of_ones_own_are_counted_before_it_is_proposed(tmp_path, capfd):
    (tmp_path / "net.py").write_text(MODULE)
    small, large = f"{tmp_path}/net.py:Small", f"{tmp_path}/net.py:Large"
    proposals = Proposals(TrainConfig(), plan_of({"arch": f"{small},{large}"}).space)
    proposals.check_feasible()
    assert proposals.config({"arch": small}).arch == small
    with pytest.raises(OverBudget, match="25,450 parameters"):
        proposals.config({"arch": large})
    assert capfd.readouterr().out == ""  # which is for data, not for what the module prints


def test_a_module_that_cannot_be_built_is_refused_before_anything_else_of_the_space_is_trained(tmp_path):
    (tmp_path / "net.py").write_text(
        MODULE
        + """
class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        raise ValueError("not today")
"""
    )
    for name, named in (("Nope", "Nope"), ("Broken", "not today")):
        with pytest.raises(InvalidValue, match=named):
            Proposals(TrainConfig(), plan_of({"arch": f"conv5,{tmp_path}/net.py:{name}"}).space).check_feasible()
    Proposals(TrainConfig(), plan_of({"arch": f"conv5,{tmp_path}/net.py:Large"}).space).check_feasible()
