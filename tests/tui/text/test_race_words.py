"""A race in words: who won and how sure that is, what is left, what failed, and each of those that raced."""

from __future__ import annotations

import pytest

from experiments.studies.racing.rule import dropped, lags
from tui.text.race_words import race_in_words, race_table, racer_in_words, rounds_in_words, standing_in_words


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
        ([7, 3], [1], [], True, "race: undecided between trials 7 and 3, 1 is worse by more than chance"),
        ([7, 3], [], [], False, "race: trials 7 and 3 are left, none is worse by more than chance"),
        ([7, 3, 4], [1, 2], [], False, "race: trials 7, 3 and 4 are left, 2 are worse by more than chance"),
        ([], [1, 2], [1, 2], True, "race: nobody won, 2 failed"),
    ],
)
def test_what_came_of_a_race(left, dropped, failed, is_over, words):
    assert race_in_words(left, dropped, failed, is_over=is_over) == words


def test_a_winner_is_named_with_its_mean_and_how_often_such_a_one_is_wrong():
    words = standing_in_words(WON)
    assert words.startswith("race: trial 7 won, 1 is worse by more than chance, 1 failed; ")
    between = "its mean 99.00% over 3 new seeds (95% interval 96.52% to 100.00%); "
    assert words.endswith(f"{between}at most 5% of winners are wrong")
    assert "wrong" not in standing_in_words(WON | {"is_over": False})
    assert standing_in_words({}) == ""


def test_each_that_raced_has_a_row_and_a_word_of_its_own():
    rows = [line.split() for line in race_table(WON, "val").splitlines()]
    assert [row[0] for row in rows if row[0].isdigit()] == ["7", "2", "5"]
    assert ["2", "90.00%", "-", "3", "after", "3", "g2"] in rows
    assert ["7", "99.00%", "96.52%", "to", "100.00%", "3", "no", "g7"] in rows
    assert racer_in_words(WON, 7) == "raced: mean 99.00% over 3 new seeds (95% interval 96.52% to 100.00%)"
    assert racer_in_words(WON, 2) == "raced: mean 90.00% over 3 new seeds, dropped"
    assert racer_in_words(WON, 5) == "raced: mean 10.00% over 1 new seed, failed"
    assert racer_in_words(WON, 1) == ""


def test_the_rounds_say_who_is_out_and_why_and_what_came_of_it():
    first, last = rounds_in_words(WON)
    assert first == (
        "3 new seeds each, 3 raced: trial 2 is out, 9.00 points behind trial 7, by chance up to 2.29; "
        "trial 5 is out, a run of it failed"
    )
    assert last == "trial 7 won: its mean 99.00% over 3 new seeds (95% interval 96.52% to 100.00%)"
    lag = lags({2: WON["racers"][0]["scores"], 5: (0.1,), 7: WON["racers"][2]["scores"]}, [2, 7], 3)[2]
    assert (round(100 * lag.behind, 2), round(100 * lag.limit, 2)) == (9.0, 2.29)


@pytest.mark.parametrize(
    ("racers", "is_over", "lines"),
    [
        ([racer(1), racer(2)], False, ["3 new seeds each: trials 1 and 2 race now"]),
        (
            [racer(1, *[0.98, 0.99, 0.985] * 2), racer(2, 0.98, 0.99, 0.985, 0.9)],
            False,
            ["3 new seeds each, 2 raced: nobody is out", "6 new seeds each: trials 1 and 2 race now"],
        ),
        (
            [racer(1, *[0.98, 0.99] * 6), racer(2, *[0.99, 0.98] * 6)],
            True,
            [f"{n} new seeds each, 2 raced: nobody is out" for n in (3, 6, 12)]
            + ["after 12 seeds it cannot tell which is best"],
        ),
        (
            [racer(1, 0.1, after=3, failed=True), racer(2, after=3, failed=True)],
            True,
            [
                "3 new seeds each, 2 raced: trial 1 is out, a run of it failed; trial 2 is out, a run of it failed",
                "nobody won",
            ],
        ),
        ([], False, []),
    ],
)
def test_rounds_that_are_under_way_undecided_or_lost(racers, is_over, lines):
    left = [one["trial"] for one in racers if one["dropped_after"] is None]
    assert rounds_in_words({"is_over": is_over, "left": left, "racers": racers}) == lines


def test_what_the_words_say_of_a_round_is_what_the_rule_did():
    scores = {1: (0.99, 0.991, 0.992), 2: (0.97, 0.972, 0.971), 3: (0.9895, 0.9905, 0.99)}
    out = dropped(scores, [1, 2, 3], 3)
    race = {
        "is_over": False,
        "left": [1, 3],
        "racers": [racer(n, *s, after=3 if n in out else None) for n, s in scores.items()],
    }
    assert out == [2]
    assert "trial 2 is out" in rounds_in_words(race)[0]
