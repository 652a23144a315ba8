"""A race in words: who won and how sure that is, what is left, what failed, and each of those that raced."""

from __future__ import annotations

import pytest

from tui.text.race_words import race_in_words, race_table, racer_in_words, standing_in_words


def racer(trial, *scores, after=None, failed=False):
    mean = sum(scores) / len(scores) if scores else None
    own = {"trial": trial, "group_id": f"g{trial}", "scores": scores, "mean": mean}
    return own | {"dropped_after": after, "failed": failed}


WON = {
    "is_over": True,
    "left": [7],
    "racers": [racer(2, 0.9, 0.9, 0.9, after=3), racer(5, 0.1, after=3, failed=True), racer(7, 0.98, 0.99, 1)],
}


@pytest.mark.parametrize(
    ("left", "dropped", "failed", "is_over", "words"),
    [
        ([7], [1, 2], [], True, "race: trial 7 won, 2 are worse by more than chance"),
        ([7], [1, 2], [2], True, "race: trial 7 won, 1 is worse by more than chance, 1 failed"),
        ([7], [1], [1], True, "race: trial 7 won, 1 failed"),
        ([7, 3], [1], [], True, "race: undecided between trials 7, 3, 1 is worse by more than chance"),
        ([7, 3], [], [], False, "race: trials 7, 3 are left, 0 are worse by more than chance"),
        ([], [1, 2], [1, 2], True, "race: nobody won, 2 failed"),
    ],
)
def test_what_came_of_a_race(left, dropped, failed, is_over, words):
    assert race_in_words(left, dropped, failed, is_over=is_over) == words


def test_a_winner_is_named_with_its_mean_and_how_often_such_a_one_is_wrong():
    words = standing_in_words(WON)
    assert words.startswith("race: trial 7 won, 1 is worse by more than chance, 1 failed; ")
    assert words.endswith("its mean 99.00% over 3 new seeds; at most 5% of winners are wrong")
    assert "wrong" not in standing_in_words(WON | {"is_over": False})
    assert standing_in_words({}) == ""


def test_each_that_raced_has_a_row_and_a_word_of_its_own():
    rows = [line.split() for line in race_table(WON, "val").splitlines()]
    assert [row[0] for row in rows if row[0].isdigit()] == ["7", "2", "5"]
    assert ["2", "90.00%", "3", "after", "3", "g2"] in rows
    assert racer_in_words(WON, 7) == "raced: mean 99.00% over 3 new seeds"
    assert racer_in_words(WON, 2) == "raced: mean 90.00% over 3 new seeds, dropped"
    assert racer_in_words(WON, 5) == "raced: mean 10.00% over 1 new seed, failed"
    assert racer_in_words(WON, 1) == ""
