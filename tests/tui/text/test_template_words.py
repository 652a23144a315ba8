"""The networks of a template in words, in the meter, the table and the form of a sweep."""

from __future__ import annotations

import pytest

from core.config import TrainConfig
from core.errors import SpecError
from core.task import MNIST_TASK
from tui.live.forms.sweep_form import template_words
from tui.text.template_words import range_in_words, range_of
from tui.widgets.tables.spec_layers import aligned

TEMPLATE = "c{4:8:2} p2 [s16p1] c{8,12} gap fc10"


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (20_000, "1,850 to 20,570 of 20,000"),
        (1_000, "1,850 to 20,570 of 1,000, all over the budget"),
        (None, "1,850 to 20,570 parameters, no budget"),
    ],
)
def test_the_range_is_held_against_the_budget(budget, words):
    assert range_in_words(1_850, 20_570, budget) == words


def test_each_layer_of_the_largest_stands_beside_what_it_is_in_the_smallest():
    found = range_of(TEMPLATE, MNIST_TASK)
    pairs = aligned(found.least.rows, found.most.rows)
    assert [pair.most for pair in pairs] == list(found.most.rows)
    assert [pair.least for pair in pairs if pair.least is not None] == list(found.least.rows)
    assert (pairs[0].least.params, pairs[0].most.params) == (40, 80)


def test_the_form_says_it_of_the_template_in_space_or_else_of_the_labs():
    base = TrainConfig()
    assert template_words("--lr 0.01:0.1", base) == ""
    in_space = template_words(f"--arch '{TEMPLATE}'", base)
    found = range_of(TEMPLATE, MNIST_TASK)
    least, most = found.least.total_params, found.most.total_params
    assert in_space == f"Networks of the template: {least:,} to {most:,} of 20,000 parameters."
    assert template_words("", base.model_copy(update={"arch": TEMPLATE})) == in_space
    assert template_words("--arch 'c{4:8'", base) == ""


def test_the_form_goes_by_the_data_set_and_the_budget_in_space():
    base = TrainConfig()
    letters = template_words("--dataset emnist --arch 'c{4:8:2} gap fc47'", base)
    assert letters == "Networks of the template: 283 to 519 of 20,000 parameters."
    assert template_words("--max-params 200 --arch 'c{4:8} gap fc10'", base) == (
        "Networks of the template: 98 to 186 of 200 parameters."
    )
    assert template_words("--max-params 90 --arch 'c{4:8} gap fc10'", base) == (
        "Networks of the template: 98 to 186 of 90 parameters, all over the budget."
    )
    assert template_words("--max-params none --arch 'c{4:8} gap fc10'", base) == ""


@pytest.mark.parametrize("text", ["c{0:8} gap fc10", "c8 rep{0:3}(c8p1) gap fc10"])
def test_a_value_that_can_never_be_built_is_refused(text):
    with pytest.raises(SpecError, match="includes 0"):
        range_of(text, MNIST_TASK)
