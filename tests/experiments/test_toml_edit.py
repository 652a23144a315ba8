"""One entry of a TOML file is changed, and nothing else of it."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidValue
from experiments.toml_edit import line_of, with_entry

FILE = """# my settings
theme = "nord"  # dark # really

columns = [
    "name", # first
    "best",
]
mouse = true

[keymap]  # mine
delete = "D"  # not d
stop = "ctrl+x"
"""


@pytest.mark.parametrize(
    ("name", "value", "before", "after"),
    [
        ("theme", "dracula", 'theme = "nord"  # dark # really', 'theme = "dracula"  # dark # really'),
        ("mouse", False, "mouse = true", "mouse = false"),
        ("mouse", None, "mouse = true\n", ""),
        ("ascii", True, "mouse = true\n", "mouse = true\nascii = true\n"),
        ("columns", ("id",), 'columns = [\n    "name", # first\n    "best",\n]', 'columns = ["id"]'),
        ("keymap.delete", "delete", '"D"  # not d', '"delete"  # not d'),
        ("keymap.delete", None, 'delete = "D"  # not d\n', ""),
        ("keymap.fork", "F", 'stop = "ctrl+x"\n', 'stop = "ctrl+x"\nfork = "F"\n'),
        ("keymap", None, FILE[FILE.index("\n[keymap]") :], ""),
    ],
)
def test_only_the_line_of_the_entry_changes(name, value, before, after):
    assert before in FILE
    assert with_entry(FILE, name, value) == FILE.replace(before, after)


def test_a_file_is_begun():
    assert with_entry("", "theme", "nord") == 'theme = "nord"\n'
    assert with_entry("", "keymap.delete", "D") == '[keymap]\ndelete = "D"\n'
    assert with_entry('[keymap]\ndelete = "D"\n', "theme", "nord") == 'theme = "nord"\n\n[keymap]\ndelete = "D"\n'
    assert tomllib.loads(with_entry('keymap = { a = "b" }', "keymap.c", "d")) == {"keymap": {"a": "b", "c": "d"}}


@pytest.mark.parametrize("text", ['keymap.delete = "D"\n', "[keymap]\n[keymap.sub]\nx = 1\n[[keymap.list]]\n"])
def test_what_is_not_understood_is_left_alone(text):
    with pytest.raises(InvalidValue, match="written in a way that cannot be changed"):
        with_entry(text, "keymap", {"a": "b"})


def test_the_line_of_an_entry_is_found():
    assert [line_of(FILE, name) for name in ("theme", "columns", "mouse", "keymap", "stop")] == [2, 4, 8, 10, 12]


TEXTS = st.text(st.characters(exclude_categories=("C", "Z"))) | st.sampled_from(['"', "#", "[a]", "'''", "a = 1", "\\"])
VALUES = st.booleans() | TEXTS | st.lists(TEXTS, max_size=3)
NAMES = st.sampled_from(["theme", "mouse", "columns", "keymap.a", "keymap.b"])


@given(st.lists(st.tuples(NAMES, VALUES | st.none()), max_size=8))
def test_whatever_is_set_in_turn_is_what_is_read_then(steps):
    text, expected = FILE, tomllib.loads(FILE)
    for name, value in steps:
        text = with_entry(text, name, value)
        table, _, key = name.rpartition(".")
        place = expected.setdefault(table, {}) if table else expected
        place.pop(key, None)
        if value is not None:
            place[key] = value
    assert tomllib.loads(text) == expected
    assert text.startswith("# my settings\n")
