"""Keys: each has one meaning, and what a user changes in that."""

from __future__ import annotations

from collections import Counter

import pytest
from textual.binding import Binding

from tui.text.keys import MEANINGS, accepted, key, key_in_words, use_keys, with_keys


@pytest.fixture(autouse=True)
def _usual_keys():
    yield
    use_keys({})


def test_no_key_has_two_meanings():
    keys = Counter(
        binding.key
        for meaning in MEANINGS.values()
        for binding in Binding.make_bindings([Binding(meaning.keys, "action")])
    )
    assert [name for name, count in keys.items() if count > 1] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x", "x"),
        ("G", "G"),
        ("escape", "esc"),
        ("question_mark", "?"),
        ("equals_sign", "="),
        ("right_square_bracket", "]"),
        ("slash", "/"),
        ("comma", ","),
        ("asterisk", "*"),
        ("exclamation_mark", "!"),
        ("ctrl+r", "ctrl+r"),
        ("f2", "F2"),
        ("shift+up", "shift+up"),
        ("ctrl+backslash", "ctrl+\\"),
    ],
)
def test_a_key_is_called_what_is_printed_on_it(name, words):
    assert key_in_words(name) == words


def test_texts_name_the_keys_that_are_in_use():
    assert with_keys("{stop} stops, {compare} compares") == "x stops, = compares"
    use_keys({"stop": "ctrl+x,S"})
    assert with_keys("{stop} stops, {compare} compares") == "ctrl+x stops, = compares"
    assert key("stop") == "ctrl+x"


def test_a_keymap_may_give_new_keys_and_swap_them():
    wanted = {"stop": "c", "continue": "x", "delete": "Z,ctrl+k", "compare": "minus", "help": "f12"}
    assert accepted(wanted) == (wanted, [])


@pytest.mark.parametrize(
    ("keymap", "problem"),
    [
        ({"stopp": "c"}, "keymap: stopp = c: there is no such command; did you mean stop?"),
        ({"zzzzz": "c"}, "keymap: zzzzz = c: there is no such command"),
        ({"stop": "hyper"}, "keymap: stop = hyper: there is no key hyper"),
        ({"stop": "win+x"}, "keymap: stop = win+x: there is no key win+x"),
        ({"stop": "c"}, "keymap: stop = c: c is the key of continue; give that another"),
        ({"help": "question_mark", "stop": "?"}, "keymap: stop = ?: ? is the key of help; give that another"),
    ],
)
def test_what_a_keymap_cannot_have_is_one_line_and_the_rest_holds(keymap, problem):
    wanted, problems = accepted(keymap | {"fork": "Z"})
    assert problems == [problem]
    assert wanted["fork"] == "Z"


def test_of_two_that_want_the_same_key_the_first_has_it():
    wanted, problems = accepted({"stop": "Z", "fork": "Z"})
    assert wanted == {"stop": "Z"}
    assert problems == ["keymap: fork = Z: Z is the key of stop; give that another"]
