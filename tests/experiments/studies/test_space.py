"""The search space as it is written: what each form means, and what is said of a wrong one."""

from __future__ import annotations

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import TrainConfig
from core.errors import InvalidValue, SpecError
from experiments.studies.space import FIXED, ListDimension, RangeDimension, Space, parse_option


@pytest.mark.parametrize(
    ("field", "text", "parsed"),
    [
        ("lr", "0.05", 0.05),
        ("lr", "0.01:0.1", RangeDimension("lr", 0.01, 0.1)),
        ("lr", "0.01:0.1:log", RangeDimension("lr", 0.01, 0.1, log=True)),
        ("lr", " 0.01 , 0.1 ", ListDimension("lr", (0.01, 0.1))),
        ("dropout", "0:0.2", RangeDimension("dropout", 0.0, 0.2)),
        ("dropout", "0:0.2:0.05", RangeDimension("dropout", 0.0, 0.2, step=0.05)),
        ("batch_size", "64,128,256", ListDimension("batch_size", (64, 128, 256))),
        ("batch_size", "64:512:64", RangeDimension("batch_size", 64, 512, step=64)),
        ("batch_size", "16:512:log", RangeDimension("batch_size", 16, 512, log=True)),
        ("arch", "conv9,conv5", ListDimension("arch", ("conv9", "conv5"))),
        ("arch", "c8 p2 c16 gap fc10", "c8 p2 c16 gap fc10"),
        (
            "arch",
            "c8b0r res( c8p1 |c8k1l ) gap fc10,rep2(c8k1x5) gap fc10",
            ListDimension("arch", ("c8b0r res(c8p1 | c8k1l) gap fc10", "rep2(c8k1x5) gap fc10")),
        ),
        ("schedule", "constant,onecycle", ListDimension("schedule", ("constant", "onecycle"))),
        ("augment", "affine+erase", "affine,erase"),
        ("augment", "none, affine + erase,shift", ListDimension("augment", ("none", "affine,erase", "shift"))),
        ("nesterov", "true,off", ListDimension("nesterov", (True, False))),
        ("limit_train", "600", 600),
        ("seed", "3", 3),
    ],
)
def test_each_form_means_what_it_says(field, text, parsed):
    assert parse_option(field, text) == parsed
    assert type(parse_option(field, text)) is type(parsed)


@pytest.mark.parametrize(
    ("field", "text", "named"),
    [
        ("lr", "fast", "a number above 0 and at most 100"),
        ("lr", "", "a number above 0"),
        ("lr", ",", "a number above 0"),
        ("lr", "nan", "a number above 0"),
        ("lr", "0.1:inf", "a number above 0"),
        ("lr", "0:1:log", "a number above 0"),
        ("lr", "0.1:0.01", "LOW must be below HIGH"),
        ("lr", "0.1:0.1", "LOW must be below HIGH"),
        ("lr", "1:2:3:4", "LOW:HIGH:STEP"),
        ("lr", "0.1,0.2:0.3", "LOW:HIGH:STEP"),
        ("lr", "0.1,0.1", "twice"),
        ("dropout", "0:0.2:log", "must start above 0"),
        ("dropout", "0:0.2:0.15", "divides the range evenly"),
        ("dropout", "0:0.2:0", "divides the range evenly"),
        ("dropout", "0:1", "below 1"),
        ("batch_size", "64:128:7", "a whole number that divides"),
        ("batch_size", "64,1.5", "a whole number"),
        ("schedule", "constant,linear", "one of constant, onecycle"),
        ("nesterov", "maybe", "true or false"),
        ("augment", "none,flip+erase", "written as VALUE, A,B,C or A,B+C,D"),
        ("augment", "none+erase", "none, or some of"),
        ("augment", "affine+erase,affine + erase", "twice"),
        ("augment", "affine+affine", "each once"),
        ("seed", "1,2", "takes one value"),
        ("limit_train", "1:5", "a whole number"),
        ("arch", "", "1 to 1000 characters"),
    ],
)
def test_a_wrong_option_is_named_with_its_value_and_what_is_allowed(field, text, named):
    with pytest.raises(InvalidValue) as caught:
        parse_option(field, text)
    assert caught.value.field == field
    assert caught.value.value == text
    assert named in caught.value.allowed
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("0.1:0.01", "write 0.01:0.1"),
        ("0.1:0.01:log", "write 0.01:0.1:log"),
        ("0.1:0.1", "write 0.1 for one value"),
    ],
)
def test_a_range_the_wrong_way_round_is_told_what_to_write(text, hint):
    with pytest.raises(InvalidValue) as caught:
        parse_option("lr", text)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("field", "text", "step"),
    [
        ("lr", "0.01:0.1:foo", "0.03"),
        ("lr", "0.01:0.1:0.045000000000000005", "0.03"),
        ("dropout", "0:0.2:0.15", "0.05"),
        ("batch_size", "64:128:7", "8"),
        ("epochs", "5:7:x", "1"),
        ("weight_decay", "1e-5:1e-4:7", "0.00003"),
    ],
)
def test_the_step_that_is_named_for_a_wrong_one_is_short_and_right(field, text, step):
    with pytest.raises(InvalidValue) as caught:
        parse_option(field, text)
    example = caught.value.hint.removeprefix("for example ")
    assert example.split(":")[2] == step
    assert isinstance(parse_option(field, example), RangeDimension)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [("0:0.2:0.05", 0.15, True), ("0:0.2:0.05", 0.07, False), ("0:0.2:0.05", 0.25, False), ("0:0.2", 0.07, True)],
)
def test_a_range_in_steps_holds_its_steps_only(text, value, holds):
    assert parse_option("dropout", text).holds(value) is holds


def test_an_architecture_that_cannot_be_built_is_named_by_its_token():
    with pytest.raises(SpecError, match="c8 at position 1"):
        parse_option("arch", "conv9,c8", "mnist")


def test_a_network_is_one_value_however_it_is_spaced():
    assert parse_option("arch", "c8  gap fc10, c4 gap  fc10") == ListDimension("arch", ("c8 gap fc10", "c4 gap fc10"))
    with pytest.raises(InvalidValue, match="lists a value twice"):
        parse_option("arch", "c8 gap fc10,c8  gap fc10")


def test_a_space_is_written_in_the_fewest_digits():
    space, _ = Space.parse({"lr": "0.01:100:log", "dropout": "0,0.1"})
    assert str(space) == "lr 0.01:100:log, dropout 0,0.1"


def test_a_module_of_ones_own_is_found_from_any_folder(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert parse_option("arch", "conv9,net.py:Net") == ListDimension("arch", ("conv9", f"{tmp_path}/net.py:Net"))
    with pytest.raises(InvalidValue, match="no such file"):
        parse_option("arch", "conv9,other.py:Net", "mnist")


def test_modules_with_arguments_are_values_of_a_list(tmp_path):
    (tmp_path / "net.py").touch()
    archs = [f"{tmp_path}/net.py:Net(8, norm='a,b')", f"{tmp_path}/net.py:Net((1, 2))", "conv9"]
    assert parse_option("arch", ",".join(archs)) == ListDimension("arch", tuple(archs))
    space, _ = Space.parse({"arch": ",".join(archs)})
    assert Space.parse(space.to_json())[0] == space


def test_options_are_split_into_dimensions_and_fixed_values():
    space, fixed = Space.parse({"epochs": "3", "lr": "0.01:0.1", "arch": "conv5,conv9", "device": "cpu"})
    assert [dimension.field for dimension in space.dimensions] == ["arch", "lr"]
    assert fixed == {"epochs": 3, "device": "cpu"}


def test_a_space_reads_what_it_writes():
    options = {"lr": "1e-05:0.1:log", "dropout": "0:0.2:0.1", "batch_size": "64,128", "nesterov": "true,false"}
    options |= {"augment": "none,affine+erase,erase+affine", "milestones": "10,5+10"}
    space, _ = Space.parse(options)
    assert Space.parse(space.to_json())[0] == space


@pytest.mark.parametrize(("field", "text"), [("milestones", "5+10,10 + 5"), ("augment", "shift,shift")])
def test_a_list_that_is_written_twice_is_one_value(field, text):
    with pytest.raises(InvalidValue, match="lists a value twice"):
        parse_option(field, text)


def test_the_grid_has_every_value_and_no_rounding_errors():
    space, _ = Space.parse({"dropout": "0:0.3:0.1", "batch_size": "64:192:64", "epochs": "1:3", "arch": "conv9,conv5"})
    assert space.grid() == {
        "arch": ["conv9", "conv5"],
        "epochs": [1, 2, 3],
        "batch_size": [64, 128, 192],
        "dropout": [0.0, 0.1, 0.2, 0.3],
    }


@pytest.mark.parametrize("options", [{"lr": "0.1:0.2"}, {"batch_size": "1:64:log"}, {"max": ""}])
def test_a_space_without_end_has_no_grid(options):
    options = {"lr": "0.00001:1:0.00001", "epochs": "1:100"} if "max" in options else options
    with pytest.raises(InvalidValue):
        Space.parse(options)[0].grid()


@given(st.integers(0, 2**20))
def test_what_a_sampler_proposes_is_a_config_and_lies_in_the_space(seed):
    space, _ = Space.parse(
        {"lr": "0.001:1:log", "batch_size": "32:256:32", "dropout": "0:0.3", "schedule": "constant,cosine"}
        | {
            "nesterov": "on,off",
            "augment": "none,shear+elastic,erase",
            "weight_decay": "0:0.01:0.001",
            "epochs": "1:20",
        }
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    params = space.suggest(study.ask())
    config = TrainConfig.checked(params)
    for dimension in space.dimensions:
        assert dimension.holds(getattr(config, dimension.field))


def test_every_field_is_searched_or_says_that_it_takes_one_value():
    for field in TrainConfig.model_fields:
        if field in FIXED:
            with pytest.raises(InvalidValue):
                parse_option(field, "a,b")
