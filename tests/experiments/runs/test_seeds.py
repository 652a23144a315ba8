"""Seeds as people write them, and the names of the runs that have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import TrainConfig
from core.errors import InvalidValue
from experiments.runs.folder import Meta
from experiments.runs.seeds import MAX_SEEDS, name_of_group, name_of_seed, parse_seeds, seed_specs, seeds_text


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", [3]),
        ("0-2", [0, 1, 2]),
        ("7-7", [7]),
        ("0-2,5", [0, 1, 2, 5]),
        ("9,0-2,1-3", [0, 1, 2, 3, 9]),
        (" 0 - 1 , 4 ", [0, 1, 4]),
        (f"1-{MAX_SEEDS}", [*range(1, MAX_SEEDS + 1)]),
        ("2147483647", [2_147_483_647]),
    ],
)
def test_seeds_are_single_ones_and_ranges_each_once_and_in_order(text, seeds):
    assert parse_seeds(text) == tuple(seeds)


@pytest.mark.parametrize("text", ["", "x", "-1", "1-", "2-1", "0,,1", "0,", "0-1-2", "1.0", "٣", f"0-{MAX_SEEDS}"])
def test_anything_else_is_refused_with_what_is_allowed(text):
    with pytest.raises(InvalidValue, match=f"^seed = .*first-last, such as 0-9.*at most {MAX_SEEDS:,} seeds") as caught:
        parse_seeds(text, "seed")
    assert caught.value.field == "seed"


def test_a_seed_that_no_run_may_have_is_refused_as_it_is_alone():
    with pytest.raises(InvalidValue, match="seed = 2147483648: must be a whole number"):
        parse_seeds("2147483647-2147483648")


@given(st.sets(st.integers(0, 60), min_size=1).map(sorted))
def test_what_is_written_of_seeds_is_read_as_them(seeds):
    assert parse_seeds(seeds_text(seeds)) == tuple(seeds)
    assert seeds_text([0, 1, 2, 5]) == "0-2,5"


def test_a_run_is_called_as_its_group_and_its_seed():
    specs = seed_specs(TrainConfig(), (0, 4), Meta("try", ("a",), "g1"))
    assert [spec.meta for spec in specs] == [Meta("try-0", ("a",), "g1"), Meta("try-4", ("a",), "g1")]
    assert [spec.config.seed for spec in specs] == [0, 4]
    assert [name_of_group(spec.meta.name, spec.config.seed) for spec in specs] == ["try", "try"]
    assert name_of_seed("", 4) == name_of_group("", 4) == ""
    assert name_of_group("another", 4) == "another"
