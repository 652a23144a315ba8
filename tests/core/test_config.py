"""Configs check themselves, and say what is wrong in one line that names field, value and what is allowed."""

import json
import math
import re

import pytest
from pydantic import ValidationError

from core.advice import Action, Tip
from core.config import TrainConfig, allowed_values, augmentations_of, field_help
from core.dataset_names import TASKS
from core.errors import InvalidValue, LabError, OverBudget
from core.fields import check_given, has_effect

FIELDS = list(TrainConfig.model_fields)
DEFAULTS = TrainConfig().model_dump()
NUMBERS = [field for field in FIELDS if "number" in allowed_values(field)]
CHOICES = [field for field in FIELDS if allowed_values(field).startswith("one of") and field != "dataset"]
SWITCHES = [field for field in FIELDS if allowed_values(field) == "true or false"]


def is_accepted(field: str, value: object) -> bool:
    try:
        return bool(getattr(TrainConfig.checked({"budget": False, "epochs": 2000, field: value}), field) == value)
    except InvalidValue:
        return False


def test_the_defaults_are_the_run_of_the_exercise():
    wanted = {"arch": "conv9", "batch_size": 256, "lr": 0.03772, "momentum": 0.9, "schedule": "constant"}
    wanted |= {"augment": "none", "epochs": 20, "seed": 0, "val_split": 0, "nesterov": False, "max_params": 20_000}
    assert wanted.items() <= DEFAULTS.items()
    assert json.loads(json.dumps(DEFAULTS, allow_nan=False)) == DEFAULTS


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_help_and_says_what_it_accepts(field, presentable):
    assert field_help(field).endswith(".")
    presentable(field_help(field))
    presentable(allowed_values(field))


def test_every_field_is_of_one_of_the_kinds_tested_here():
    assert {*NUMBERS, *CHOICES, *SWITCHES} | {"arch", "augment", "dataset", "device", "milestones", "teacher"} == set(
        FIELDS
    )


BAD_VALUES = [
    *[("dataset", value) for value in ("other", "", 1, None, True)],
    *[(field, value) for field in NUMBERS for value in (math.nan, math.inf, -math.inf, -1, True, "20", [1], 10**12)],
    *[(field, 2.5) for field in NUMBERS if "whole" in allowed_values(field)],
    *[(field, value) for field in CHOICES for value in ("other", "", 1, None, True)],
    *[(field, value) for field in SWITCHES for value in (0, 1, "true", None)],
    *[("arch", value) for value in ("", 9, None, "c" * 1001)],
    *[("device", value) for value in ("gpu", "cuda:", "cuda:-1", "cuda:123", "cpu ", "cpu\n", "CPU", "cuda:\u0663", 0)],
    *[("epochs", value) for value in (0, None, 3.0, b"3")],
    *[(field, value) for field, value in (("batch_size", 0), ("lr", 0), ("lr", 0.0), ("lr", 101), ("momentum", 1))],
]


@pytest.mark.parametrize(("field", "value"), BAD_VALUES, ids=[f"{field}-{value!a:.20}" for field, value in BAD_VALUES])
def test_a_bad_value_is_refused_with_field_value_and_what_is_allowed(field, value, presentable):
    with pytest.raises(InvalidValue) as caught:
        TrainConfig.checked({field: value})
    assert caught.value.field == field
    assert caught.value.allowed == f"must be {allowed_values(field)}"
    presentable(caught.value.message, f"{field} = ", str(value).strip()[:50], caught.value.allowed)


@pytest.mark.parametrize("field", NUMBERS)
def test_a_number_in_quotes_is_shown_with_its_quotes(field):
    with pytest.raises(InvalidValue, match='= "7": must be'):
        TrainConfig.checked({field: "7"})


@pytest.mark.parametrize("field", NUMBERS)
def test_numbers_are_accepted_up_to_the_edges_that_the_words_name(field):
    words = allowed_values(field)
    whole = "whole" in words
    edges = re.findall(r"(at least|above|at most|below) ([\d,.]+)", words)
    assert len(edges) == 2
    for kind, digits in edges:
        edge = int(digits.replace(",", "")) if whole else float(digits.replace(",", ""))
        outward = -1 if kind in ("at least", "above") else 1
        beyond = edge + outward if whole else math.nextafter(edge, outward * math.inf)
        within = edge - outward if whole else math.nextafter(edge, -outward * math.inf)
        assert not is_accepted(field, beyond)
        assert is_accepted(field, edge) == (kind in ("at least", "at most"))
        assert is_accepted(field, within)


@pytest.mark.parametrize("field", CHOICES)
def test_each_choice_that_the_words_name_is_accepted(field):
    for choice in allowed_values(field).removeprefix("one of ").split(", "):
        assert is_accepted(field, choice)


@pytest.mark.parametrize("field", SWITCHES)
def test_switches_take_true_and_false(field):
    values = {"momentum": 0.9, "budget": False}
    for value in (True, False):
        assert getattr(TrainConfig.checked(values | {field: value}), field) is value


def test_data_sets_are_accepted_by_name_and_whatever_is_written_like_a_path():
    for name in TASKS:
        assert name.removeprefix("emnist") in allowed_values("dataset")
        assert is_accepted("dataset", name)
    for path in ("./letters", "/data/letters", "letters/", "~/x", "..", "own.npz", "own.CSV", "a b/ü.csv.gz"):
        assert is_accepted("dataset", path)
        assert is_accepted("dataset", f"{path}@0123456789ab")
    for other in ("letters", "cifar", "", "a\nb/", "\x1b[1m/x", "x" * 1000 + "/", "own.npy", "@0123456789ab"):
        assert not is_accepted("dataset", other)


def test_texts_and_devices_are_accepted_as_their_words_say():
    for device in ("auto", "cpu", "cuda", "cuda:0", "cuda:11", "mps"):
        assert is_accepted("device", device)
    assert is_accepted("arch", "x")
    assert is_accepted("arch", "c" * 1000)
    assert not is_accepted("arch", "c" * 1001)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("none", "none"),
        (" none ", "none"),
        ("affine", "affine"),
        ("affine,erase", "affine,erase"),
        ("affine+erase", "affine,erase"),
        (" affine , erase+ shift", "affine,erase,shift"),
        ("erase,affine", "erase,affine"),
    ],
)
def test_a_list_of_augmentations_has_one_form(text, canonical):
    config = TrainConfig.checked({"augment": text})
    assert config.augment == canonical
    assert config == TrainConfig.checked(config.model_dump())
    assert augmentations_of(canonical) == (() if canonical == "none" else tuple(canonical.split(",")))


@pytest.mark.parametrize("text", ["3,10,10", "10+3+10", "10 , 3+ 10"])
def test_a_list_of_epochs_has_one_form(text):
    assert TrainConfig.checked({"milestones": text}) == TrainConfig(milestones="3,10,10")


BAD_LISTS = ("", ",", "flip", "Affine", "affine,", "affine,,erase", "affine,affine", "affine, affine", "affine;erase")


@pytest.mark.parametrize(
    "value", [*BAD_LISTS, "none,none", "none,shift", "shift+none", "affine erase", 3, None, ["affine"]]
)
def test_what_is_no_list_of_different_augmentations_is_refused(value, presentable):
    with pytest.raises(InvalidValue) as caught:
        TrainConfig.checked({"augment": value})
    presentable(caught.value.message, "augment = ", "none, or some of shift, affine", "each once")


def test_limits_may_be_left_open():
    config = TrainConfig.checked({"limit_train": None, "limit_test": None})
    assert (config.limit_train, config.limit_test) == (None, None)


def test_a_whole_number_does_for_a_fraction():
    assert TrainConfig.checked({"lr": 1, "target": 99}).lr == 1.0


@pytest.mark.parametrize(
    ("values", "hint"), [({"epoch": 3}, "did you mean epochs?"), ({"zzz": 1}, "fields have the names")]
)
def test_an_unknown_field_is_named_and_helped(values, hint, presentable):
    with pytest.raises(InvalidValue) as caught:
        TrainConfig.checked(values)
    presentable(caught.value.message, next(iter(values)), "no such field")
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize("key", ["a\nb", "\x1b[2J", "k" * 5000, 3, None, ("a", "b"), "\ud800"], ids=range(7))
def test_a_key_that_cannot_be_a_field_is_shown_on_one_line(key, presentable):
    with pytest.raises(InvalidValue) as caught:
        TrainConfig.checked({key: 1})
    presentable(caught.value.message, "no such field")


@pytest.mark.parametrize(
    "value", ["\x1b[2J", "x\ny", "v" * 100_000, list(range(10_000)), {"a": {"b": "\x07"}}], ids=range(5)
)
def test_a_strange_value_is_shown_on_one_line(value, presentable):
    for field in ("dataset", "epochs", "device"):
        with pytest.raises(InvalidValue) as caught:
            TrainConfig.checked({field: value})
        presentable(caught.value.message, f"{field} = ")


def test_a_number_of_thousands_of_digits_is_refused_like_any_other(presentable):
    with pytest.raises(InvalidValue) as caught:
        TrainConfig.checked({"epochs": 10**5000})
    presentable(caught.value.message, "epochs = ")


def test_21_epochs_are_over_the_budget_and_can_be_allowed(presentable):
    assert TrainConfig.checked({"epochs": 20}).epochs == 20
    with pytest.raises(OverBudget) as caught:
        TrainConfig.checked({"epochs": 21})
    presentable(caught.value.message, "epochs = 21", "at most 20")
    assert Tip(Action.RAISE_BUDGET, "max_epochs") in caught.value.advice.parts
    assert TrainConfig.checked({"epochs": 21, "max_epochs": 21}).epochs == 21
    assert TrainConfig.checked({"epochs": 21, "budget": False}).epochs == 21


def test_nesterov_needs_momentum():
    with pytest.raises(InvalidValue, match="nesterov = True: needs a momentum above 0") as caught:
        TrainConfig.checked({"nesterov": True, "momentum": 0.0})
    assert Tip(Action.SET, "momentum", "0.9") in caught.value.advice.parts


def test_nesterov_needs_no_momentum_of_its_own_where_that_is_cycled():
    TrainConfig.checked({"nesterov": True, "momentum": 0.0, "schedule": "onecycle", "cycle_momentum": True})


TOGETHER = [
    ({"warmup_epochs": 20.0}, "warmup_epochs = 20.0: must be below the 20 epochs of the run"),
    ({"schedule": "cosine", "min_lr": 0.1}, "min_lr = 0.1: must be at most the learning rate, 0.03772"),
    ({"schedule": "plateau", "min_lr": 0.1}, "min_lr = 0.1: must be at most the learning rate, 0.03772"),
    ({"schedule": "plateau", "gamma": 1.0}, "gamma = 1.0: must be below 1 for plateau"),
    ({"schedule": "onecycle", "three_phase": True, "warmup": 0.51}, "warmup = 0.51: must be at most 0.5"),
    (
        {"schedule": "onecycle", "cycle_momentum": True, "base_momentum": 0.96},
        "base_momentum = 0.96: must be at most max_momentum, 0.95",
    ),
]


@pytest.mark.parametrize("warm", [1.0, 1000.0])
def test_what_has_no_effect_makes_nothing_invalid_unless_it_was_asked_for(warm, presentable):
    values = TrainConfig.checked({"schedule": "onecycle", "warmup_epochs": warm}).model_dump()
    check_given({"schedule", "epochs"}, values)
    with pytest.raises(InvalidValue) as caught:
        check_given({"schedule", "warmup_epochs"}, values)
    presentable(caught.value.message, "warmup_epochs", "onecycle has a warm-up of its own")
    check_given({"warmup_epochs"}, values | {"schedule": "cosine"})


@pytest.mark.parametrize(("values", "message"), TOGETHER)
def test_values_of_a_schedule_that_do_not_go_together_are_refused_with_a_way_out(values, message, presentable):
    with pytest.raises(InvalidValue) as caught:
        TrainConfig.checked(values)
    presentable(caught.value.message, message)
    assert caught.value.advice
    assert TrainConfig.each_checked(values)


@pytest.mark.parametrize(
    "values",
    [
        {"schedule": "onecycle", "three_phase": False, "warmup": 0.9},
        {"schedule": "onecycle", "warmup_epochs": 30.0},
        {"schedule": "onecycle", "base_momentum": 0.96},
        {"schedule": "step", "cycle_momentum": True, "base_momentum": 0.96},
        {"schedule": "step", "min_lr": 0.1, "gamma": 1.0, "warmup": 0.9, "three_phase": True},
        {"schedule": "onecycle", "cycle_momentum": True, "base_momentum": 0.95},
        {"schedule": "plateau", "min_lr": 0.03772},
    ],
)
def test_values_without_effect_contradict_nothing(values):
    TrainConfig.checked(values)


def test_a_changed_copy_is_checked_and_the_original_frozen():
    config = TrainConfig.checked({"seed": 5})
    assert config.changed(lr=0.1).model_dump() == config.model_dump() | {"lr": 0.1}
    with pytest.raises(LabError):
        config.changed(lr=-1.0)
    with pytest.raises(ValidationError, match="frozen"):
        config.lr = 0.1
    assert config.lr == DEFAULTS["lr"]


@pytest.mark.parametrize(
    ("changes", "matters"),
    [({}, False), ({"weight_decay": 5e-4}, True), ({"l1": 1e-5}, True), ({"weight_decay": "0.0"}, False)],
)
def test_what_a_penalty_is_for_matters_only_while_there_is_one(changes, matters):
    assert has_effect("decay", TrainConfig().model_dump() | changes) is matters
