"""Numbers, times and tables as people read them."""

import json

import pytest
from rich.cells import cell_len

from tui.text.output import complain, duration, filled, loss_in_digits, percent, say, say_json, table
from tui.text.plain import in_cells


@pytest.mark.parametrize(
    ("accuracy", "text"),
    [(0.9948, "99.48%"), (1.0, "100.00%"), (0.0, "0.00%"), (0.0977, "9.77%"), (None, "-")],
)
def test_accuracies_have_two_decimals_and_no_score_is_a_dash(accuracy, text):
    assert percent(accuracy) == text


@pytest.mark.parametrize(
    ("loss", "text"),
    [(0.021, "0.0210"), (611.78994, "611.7899"), (6.3334e31, "6.3e+31"), (float("inf"), "inf"), (None, "-")],
)
def test_a_loss_that_has_grown_out_of_all_proportion_is_not_written_out(loss, text):
    assert loss_in_digits(loss) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0s"),
        (8.14, "8.1s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (60, "1m 00s"),
        (185, "3m 05s"),
        (3599.4, "59m 59s"),
        (3599.6, "1h 00m"),
        (7620, "2h 07m"),
        (360_000, "100h 00m"),
    ],
)
def test_times_are_rounded_to_what_their_size_needs(seconds, text):
    assert duration(seconds) == text


def test_words_fill_lines_and_are_never_broken():
    words = ["a=1", "net=c8 gap fc10", "b=2", "a-word-that-is-longer-than-a-line", "c=3"]
    assert filled(words, indent=2, width=24).split("\n  ") == ["a=1 net=c8 gap fc10", *words[2:]]
    assert filled(["12345", "7"], indent=1, width=8) == "12345 7"
    assert filled([], indent=2) == ""


def test_a_table_aligns_words_left_and_numbers_right():
    lines = table(("name", "params", "best"), [("conv9", 19_458, "99.48%"), ("a longer name", 8, "-")]).splitlines()
    assert lines == [
        "name           params    best",
        "conv9          19,458  99.48%",
        "a longer name       8       -",
    ]


def test_a_column_with_words_in_it_is_not_of_numbers():
    assert table(("x",), [("10",), ("ab",)]).splitlines() == ["x", "10", "ab"]
    assert table(("long", "y"), [("ab", None), (None, True)]).splitlines() == ["long  y", "ab    -", "-     True"]


def test_names_of_wide_characters_leave_the_columns_behind_them_where_they_are():
    lines = table(("name", "data"), [("日本語", "mnist"), ("abc", "mnist")]).splitlines()
    assert [cell_len(line) for line in lines[1:]] == [13, 13]
    assert [in_cells(text, 5) for text in ("日本語", "日本", "abcdef", "ab")] == ["日本…", "日本 ", "abcd…", "ab   "]
    assert in_cells("日本", 5, right=True) == " 日本"
    assert in_cells("日本語", 1) == "…"


def test_a_table_without_rows_is_its_header():
    assert table(("a", "b"), []) == "a  b"


def test_data_goes_to_stdout_and_complaints_to_stderr(capsys):
    say("data")
    complain("wrong", "try")
    complain("only this")
    assert capsys.readouterr() == ("data\n", "error: wrong\nhint: try\nerror: only this\n")


def test_json_holds_no_number_that_json_has_not(capsys):
    say_json({"a": [1, None, "ü"]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, None, "ü"]}
