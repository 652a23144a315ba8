"""The smallest and the largest network of a template, and choices that leave room for the rest."""

from __future__ import annotations

import itertools
import random

import pytest

from core.errors import SpecError
from core.models.grammar.template import parse_template
from core.models.spec import find
from core.models.summary import summarize
from core.models.template_range import TemplateRange
from core.task import ImageTask

TEMPLATES = (
    "c{4:12:4} c{4:12:4} p2 s{8,16,24}p1 [s16p1] gap fc10",
    "c{4,8}k{3,5} {p2,a2} rep{1:3}(c{4:8:2}p1) gap fc10",
    "c8 [p2] [p2] c{4:6} fc10",
    "{c,s}{w=8,16} p2 res(c{w}p1 [c{w}p1] | c{w}{k1,k3p1}) gap fc10",
)


def count(spec):
    try:
        return summarize(find(spec)).total_params
    except SpecError:
        return None


@pytest.mark.parametrize("text", TEMPLATES)
def test_least_and_most_are_those_of_all_networks_that_can_be_built(text):
    template = parse_template(text)
    every = [count(template.spec(choices)) for choices in itertools.product(*(slot.values for slot in template.slots))]
    found = TemplateRange(template)
    assert found.least.total_params == min(size for size in every if size is not None)
    assert found.most.total_params == max(size for size in every if size is not None)


@pytest.mark.parametrize("text", TEMPLATES)
@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
def test_choices_made_one_after_another_stay_within_the_limit_and_are_kept_where_they_can_be(text, share):
    template, draw = parse_template(text), random.Random(1)
    found = TemplateRange(template)
    limit = found.least.total_params + share * (found.most.total_params - found.least.total_params)
    for _ in range(50):
        order = draw.sample(range(len(template.slots)), len(template.slots))
        wanted = {number: draw.choice(template.slots[number].values) for number in order}
        chosen = {}
        for number in order:
            chosen[number] = found.fitting(number, wanted[number], chosen, limit)
            assert chosen[number] in template.slots[number].values
        size = count(found.spec(chosen))
        assert size is not None
        assert size <= limit
        whole = count(found.spec(wanted))
        if (
            whole is not None
            and whole <= limit
            and all(count(found.spec({n: wanted[n] for n in order[:k]})) is not None for k in range(1, len(order)))
        ):
            assert chosen == wanted


def test_a_width_that_is_too_large_becomes_the_largest_that_fits():
    found = TemplateRange(parse_template("c{4:64} gap fc10"))
    limit = count("c30 gap fc10")
    assert found.fitting(0, 64, {}, limit) == 30
    assert found.fitting(0, 20, {}, limit) == 20


def test_a_template_is_held_against_the_images_and_classes_of_its_data():
    template = parse_template("c{4:8} p2 c8 gap fc3")
    assert TemplateRange(template, ImageTask(16, 3)).least.layers[0].output_shape == (4, 14, 14)
    with pytest.raises(SpecError, match="not 10 logits"):
        TemplateRange(template)


def test_where_nothing_can_be_built_the_first_network_says_why():
    with pytest.raises(SpecError, match="does not fit"):
        TemplateRange(parse_template("c8 p14 c{8,16}k5 gap fc10"))


def test_where_the_first_choices_do_not_fit_others_are_found():
    found = TemplateRange(parse_template("c8 p{26,2} c{8,16} gap fc10"))
    assert found.least_spec == "c8 p2 c8 gap fc10"


@pytest.mark.parametrize(
    ("text", "token", "position", "reason"),
    [
        ("rep{1:3}(s24p1 gap fc10", "rep1", 1, "its bracket is not closed"),
        ("rep{1:3}() gap fc10", "(", 2, "no layers follow"),
        ("rep{1:3} gap fc10", "rep1", 1, "needs layers in brackets"),
        ("c{8:20}q gap fc10", "c8q", 1, "is not a modifier"),
        ("c8 x{8:20} gap fc10", "x8", 2, "no such layer"),
        ("{8:20} gap fc10", "8", 1, "no such layer"),
        ("c{c,s}16 gap fc10", "cc16", 1, "no such layer"),
        ("res(c{8:20}p1 gap fc10", "res", 1, "its bracket is not closed"),
        ("c{8:20} [fc12]", "c8", 1, "not 10 logits"),
    ],
)
def test_a_mistake_that_only_its_specs_show_is_told_of_the_template_as_it_was_written(text, token, position, reason):
    template = parse_template(text)
    with pytest.raises(SpecError) as caught:
        TemplateRange(template)
    found = caught.value
    assert (found.value, found.token, found.position) == (text, token, position)
    assert reason in found.reason
    assert "none of its specs can be built, such as " in found.message
    assert "\n" not in found.message
