"""Templates as they are written: their choices, the specs that come of them, and mistakes."""

from __future__ import annotations

import random

import pytest

from core.errors import SpecError
from core.models.grammar.template import is_template, parse_template
from core.models.spec import find


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("c{8:20:4} gap fc10", [(8, 12, 16, 20)]),
        ("c{8:10} gap fc10", [(8, 9, 10)]),
        ("s{24,32,40}p1 gap fc10", [(24, 32, 40)]),
        ("{c,s}16k{3,5} gap fc10", [("c", "s"), (3, 5)]),
        ("c8 [s40p1 p2] gap fc10", [(False, True)]),
        ("c8 [s{16:17}p1] gap fc10", [(False, True), (16, 17)]),
        ("rep{1:3}(c8p1) gap fc10", [(1, 2, 3)]),
        ("c8k{3x3, 1x5} gap fc10", [("3x3", "1x5")]),
        ("c{w=8:10} res(c{w}p1) c{v=4,5} c{v}k{w} gap fc10", [(8, 9, 10), (4, 5)]),
    ],
)
def test_each_choice_has_its_values_in_order(text, values):
    assert [slot.values for slot in parse_template(text).slots] == values


@pytest.mark.parametrize(
    ("text", "choices", "spec"),
    [
        ("c{8:20:2}   gap fc10", [12], "c12 gap fc10"),
        ("c8 [s40p1] p2 gap fc10", [True], "c8 s40p1 p2 gap fc10"),
        ("c8 [s40p1] p2 gap fc10", [False], "c8 p2 gap fc10"),
        ("c8[s40p1]p2 gap fc10", [True], "c8 s40p1 p2 gap fc10"),
        ("c8 [s{16,24} d{0.1,0.2}] gap fc10", [True, 24, "0.1"], "c8 s24 d0.1 gap fc10"),
        ("c8 [s{16,24}] gap fc10", [False, 24], "c8 gap fc10"),
        ("res(c{4,8}p1 | c{4,8}k1) gap fc10", [8, 8], "res(c8p1 | c8k1) gap fc10"),
        ("rep{1:3}(c8p1 [c8p1]) gap fc10", [2, True], "rep2(c8p1 c8p1) gap fc10"),
        ("{conv9,conv5}", ["conv5"], "conv5"),
        ("c8p{0,1} gap fc10", [0], "c8p0 gap fc10"),
        ("c{w=8:20} res(c{w}p1 c{ w }p1l) gap fc10", [12], "c12 res(c12p1 c12p1l) gap fc10"),
    ],
)
def test_choices_make_a_plain_spec(text, choices, spec):
    assert parse_template(text).spec(choices) == spec
    find(spec)


def test_whatever_is_chosen_has_no_mark_of_a_template_left():
    template = parse_template("c{4:8}p1 [s{4,8}p1 d0.1] {p2,a2} rep{1:4}(c{4,6}p1) gap fc10")
    draw = random.Random(0)
    for _ in range(100):
        spec = template.spec([draw.choice(slot.values) for slot in template.slots])
        assert not is_template(spec)
        find(spec)


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("c{8:20 p2", 1, "} is missing"),
        ("c8 p2 c{} fc10", 3, "holds nothing; braces hold LOW:HIGH, LOW:HIGH:STEP or A,B,C"),
        ("c{8:20:7} fc10", 1, "STEP must divide the range from 8 to 20 evenly"),
        ("c{8:20:0} fc10", 1, "STEP must divide"),
        ("c{20:8} fc10", 1, "LOW must be below HIGH"),
        ("c8 s{8} fc10", 2, "leaves no choice"),
        ("c{8,8} fc10", 1, "lists a value twice"),
        ("c{8,,9} fc10", 1, "is none of them"),
        ("c{8, c 9} fc10", 1, "is none of them"),
        ("c{0:100000} fc10", 1, "100,001 values, at most 1,000"),
        ("c8 [s40p1 fc10", 2, "] is missing"),
        ("c8 s40p1] fc10", 2, "] closes nothing"),
        ("c8} fc10", 1, "} closes nothing"),
        ("c8 [c8 [c8]] fc10", 3, "cannot stand within"),
        ("c8 [ ] fc10", 2, "holds no words"),
        ("c{8{9}} fc10", 1, "is not closed"),
        ("c8 {", 2, "is not closed"),
        ("c{w} c{w=8:9}", 1, "or a name from before"),
        ("c{w=8:9} c{w=8:9}", 2, "the name w is given twice"),
        ("c{w=8}", 1, "leaves no choice"),
        ("c8 c{w=8:9} c{v}", 3, "no choice before it has the name v"),
        ("c{-4:8}", 1, "is none of them"),
        ("c{8:20:2:3}", 1, "is none of them"),
        ("c{=8:20}", 1, "is none of them"),
        ("rep{3:1}(s24p1)", 1, "LOW must be below HIGH"),
        ("c8 c{1:9999999} fc10", 2, "a number has more than 6 digits"),
        ("c{4:8} p2 gap fc10,conv9", 4, "networks in a list, where a template cannot stand"),
        (" ".join(["c{8,9}p1"] * 65), 65, "at most 64 choices"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(text, position, reason):
    with pytest.raises(SpecError) as caught:
        parse_template(text)
    assert caught.value.position == position
    assert reason in caught.value.reason
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("arch", ["conv9", "c8 p2 gap fc10", "net.py:Net(widths=[8, 16])", "net.py:Net(k={'a': 1})"])
def test_a_spec_and_a_module_of_ones_own_are_no_templates(arch):
    assert not is_template(arch)


def test_a_run_is_told_that_a_template_is_for_a_search():
    with pytest.raises(SpecError, match="a search takes one network after another"):
        find("c{8:20:2} gap fc10")
