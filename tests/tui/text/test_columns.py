"""The columns that a user chooses."""

from __future__ import annotations

import pytest

from tui.text.columns import NAMES, USUAL, check_columns, chosen_columns
from tui.widgets.tables.run_table import COLUMNS


def test_every_name_has_a_column():
    assert tuple(COLUMNS) == NAMES


def test_columns_stand_in_the_order_chosen_and_some_are_always_there():
    assert chosen_columns(["lr", "name", "nothing"]) == ("status", "best", "lr", "run")
    assert chosen_columns([]) == USUAL


def test_an_unknown_column_is_named_with_what_is_allowed():
    check_columns(["name", "lr"])
    with pytest.raises(ValueError, match="unknown: speed; the columns are status, run"):
        check_columns(["lr", "speed"])
