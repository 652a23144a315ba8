"""Values of a template that make no word of the grammar: refused, and no others."""

from __future__ import annotations

import pytest

from core.errors import SpecError
from core.models.grammar.template import parse_template
from core.models.grammar.template_values import check_values


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("c{0:8} gap fc10", 1, "{0:8} includes 0, which makes c0: channels must be 1 to 4096"),
        ("c8 rep{0:3}(c8p1) gap fc10", 2, "{0:3} includes 0, which makes rep0: times must be 1 to 64"),
        ("c8 [p2 tie{0,2}(c8p1)] gap fc10", 3, "{0,2} includes 0, which makes tie0: times must be 1 to 64"),
        ("c8 rep{2:72:10}(c8p1) gap fc10", 2, "{2:72:10} includes 72, which makes rep72: times must be 1 to 64"),
        ("c8 c{4000:4100:100} gap fc10", 2, "includes 4100, which makes c4100: channels must be 1 to 4096"),
        ("c8 c{4:8}k{0,3} gap fc10", 2, "{0,3} includes 0, which makes c4k0: kernel must be 1 to 64"),
        ("c8 p{1:3} gap fc10", 2, "{1:3} includes 1, which makes p1: window must be 2 to 64"),
        ("c8 d{0.1,1} gap fc10", 2, "{0.1,1} includes 1, which makes d1: dropout must be"),
        ("c8 {p2,b2} gap fc10", 2, "{p2,b2} includes b2, which makes b2: no such layer"),
        ("res(c{0:2000:1000}p1 c8p1l) gap fc10", 3, "includes 0, which makes c0p1: channels"),
        ("c{0:5000:1000} gap fc10", 1, "{0:5000:1000} includes 0, which makes c0: channels"),
        ("c{4:8} c8b{w=0:1} rep{w}(c8p1) gap fc10", 2, "{w=0:1} includes 0, which makes rep0: times"),
    ],
)
def test_a_value_that_can_never_be_built_is_refused_in_one_line(text, position, reason):
    template = parse_template(text)
    with pytest.raises(SpecError) as caught:
        check_values(template)
    assert caught.value.position == position
    assert reason in caught.value.reason
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "c{8:20:2}p{0:2} [s{24,32}p1 d{0,0.1}] {p2,a2} rep{1:3}(c{4:8}b{0,1}) gap fc10",
        "c8 {p,c}{2,64} gap fc10",
        "c16{k1,k3p1} c{w=1:4} rep{w}(c8p1) gap fc10",
        "{rep2,tie2,res}(c8p1) gap fc10",
        "c8 p{26,2} c{8,16} gap fc10",
    ],
)
def test_values_that_some_spec_may_have_are_accepted(text):
    check_values(parse_template(text))


def test_a_word_that_no_value_mends_is_left_to_those_who_build_it():
    check_values(parse_template("c8 x{8:20} gap fc10"))
