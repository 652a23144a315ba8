"""Messages: one line that a terminal can show, whatever they quote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidValue, LabError, Stopped, one_line, printable, shown

ANYTHING = st.text(st.characters())  # surrogates and control characters too


@given(message=ANYTHING, hint=ANYTHING)
def test_message_and_hint_of_any_failure_are_printable_and_its_text(message, hint):
    error = LabError(message, hint=hint)
    assert error.message.isprintable()
    assert error.hint.isprintable()
    assert str(error) == error.message


@given(text=ANYTHING)
def test_what_is_printable_already_stays_as_it_is(text):
    plain = printable(text)
    assert printable(plain) == plain
    if text.isprintable():
        assert plain == text


def test_control_characters_are_spelled_out():
    assert printable("a\x1b[2J\u202e\ud800b") == r"a\x1b[2J\u202e\ud800b"
    assert one_line("first\n  second\tthird") == "first second third"


@given(value=ANYTHING | st.integers() | st.lists(ANYTHING) | st.none() | st.floats(), width=st.integers(20, 200))
def test_a_value_is_shown_on_one_line_of_no_more_than_its_width(value, width):
    assert shown(value, width).isprintable()
    assert len(shown(value, width)) <= width


@pytest.mark.parametrize(
    ("value", "text"),
    [("c8 fc10", "c8 fc10"), ("", "''"), (" ", "' '"), ("a\nb", r"'a\nb'"), (None, "None"), (0.5, "0.5")],
)
def test_a_value_is_shown_as_typed_or_in_quotes_where_it_could_not_be_seen(value, text):
    assert shown(value) == text


def test_a_long_value_is_cut_and_marked_so():
    assert shown("x" * 200, 20) == "x" * 17 + "..."


def test_a_bad_value_carries_its_field_and_the_value_itself():
    error = InvalidValue("epochs", [1], "must be a number")
    assert (error.field, error.value, error.allowed) == ("epochs", [1], "must be a number")
    assert error.message == "epochs = [1]: must be a number"


def test_a_reason_to_stop_is_raised_and_no_reason_is_not():
    Stopped.check(lambda: "")
    with pytest.raises(Stopped, match="enough"):
        Stopped.check(lambda: "enough")
