"""The command that trains what is shown gives the same config when it is typed."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typed_commands import typed

from core.config import AUGMENTATIONS, TrainConfig
from core.errors import LabError
from experiments.presets.loader import load_preset, preset_names
from tui.text.run_command import run_command

ODD_TEXTS = ["c8 gap fc10", 'it\'s/my "net".py:Net(width=12)', "-x", "a$b`c`!d;e|f&g", "~/a b/ü.py:N", "conv5"]
TEXTS = {
    "arch": st.sampled_from(ODD_TEXTS),
    "dataset": st.sampled_from(["auto", "mnist", "fashion", "/data/my digits.npz", "./it's.csv"]),
    "augment": st.lists(st.sampled_from(AUGMENTATIONS), unique=True).map(lambda kinds: ",".join(kinds) or "none"),
    "milestones": st.lists(st.integers(1, 99), min_size=1, unique=True).map(lambda all_: ",".join(map(str, all_))),
    "teacher": st.sampled_from(["", "latest", "20260102-030405-abcd", "my run's"]),
    "device": st.sampled_from(["auto", "cpu", "cuda:1", "mps"]),
}


def _values(field: str) -> st.SearchStrategy[object]:
    if field in TEXTS:
        return TEXTS[field]
    annotation = TrainConfig.model_fields[field].annotation
    kinds = get_args(annotation) or (annotation,)
    if all(isinstance(kind, str) for kind in kinds):
        return st.sampled_from(kinds)
    if bool in kinds:
        return st.booleans()
    if annotation is float:
        return st.floats(0, 1) | st.floats(0, 1e9)
    return st.integers(0, 100) | st.integers(1, 2**31 - 1)


@given(st.fixed_dictionaries({}, optional={field: _values(field) for field in TrainConfig.model_fields}))
@settings(max_examples=60, deadline=None)
def test_the_command_of_any_config_gives_that_config(values):
    sound: dict[str, object] = {}
    for field, value in values.items():  # as many of them as go together
        try:
            TrainConfig.checked({"budget": False, **sound, field: value})
        except LabError:
            continue
        sound[field] = value
    config = TrainConfig.checked({"budget": False, **sound})
    expected = config.model_dump()
    if config.schedule == "onecycle":
        expected["warmup_epochs"] = 0.0  # which makes nothing of it, and refuses it
    assert typed(run_command(config.model_dump())).config.model_dump() == expected


@pytest.mark.parametrize("name", preset_names())
def test_the_command_of_a_preset_gives_its_config(name):
    config = load_preset(name).config
    assert typed(run_command(config.model_dump())).config == config


def test_name_tags_and_seeds_are_part_of_it():
    command = run_command({"lr": 0.1, "seed": 3}, name="it's mine", tags=("a b", "c"), seeds=(0, 1, 2, 5))
    assert command == "mnist-tui run --lr 0.1 --seeds 0-2,5 --name 'it'\"'\"'s mine' --tag 'a b' --tag c"
    parameters = typed(command).parameters
    assert (parameters["name"], parameters["tag"], parameters["seeds"]) == ("it's mine", ["a b", "c"], "0-2,5")


def test_values_that_are_no_config_have_no_command():
    assert run_command({"lr": "much"}) == ""
