"""The race between the best trials of a study, in words: who won, how sure that is, and how each of them stood."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from experiments.studies.racing.rule import ALPHA
from tui.text.output import percent, table

Racer = Mapping[str, Any]
"""A trial in the record of a race, `StudyView.race`."""


def race_in_words(left: Sequence[int], dropped: Collection[int], failed: Collection[int], *, is_over: bool) -> str:
    """``race: trial 7 won, 3 are worse by more than chance``. `dropped` are all but those `left`."""
    worse, lost = len(dropped) - len(failed), len(failed)
    parts = [f"{worse} {'is' if worse == 1 else 'are'} worse by more than chance"] if worse or not lost else []
    parts += [f"{lost} failed"] if lost else []
    rest, names = ", ".join(parts), ", ".join(map(str, left))
    if not left:
        return f"race: nobody won, {rest}"
    if len(left) == 1:
        return f"race: trial {names} won, {rest}"
    if is_over:
        return f"race: undecided between trials {names}, {rest}"
    return f"race: trials {names} are left, {rest}"


def standing_in_words(race: Mapping[str, Any]) -> str:
    """How a race stands, with the mean of who won and how often such a winner is wrong; empty without a race."""
    racers: Sequence[Racer] = race.get("racers") or ()
    if not racers:
        return ""
    gone = {racer["trial"]: racer["failed"] for racer in racers if racer["dropped_after"] is not None}
    left, is_over = race["left"], race["is_over"] is True
    words = race_in_words(left, gone, [trial for trial, failed in gone.items() if failed], is_over=is_over)
    if not is_over:
        return words
    winner = next((racer for racer in racers if left == [racer["trial"]]), None)
    if winner is None:
        return words
    return f"{words}; its mean {_mean_in_words(winner)}; at most {ALPHA:.0%} of winners are wrong"


def racer_in_words(race: Mapping[str, Any], trial: int) -> str:
    """``raced: mean 99.12% over 6 new seeds, dropped``; empty for a trial that did not race."""
    for racer in race.get("racers") or ():
        if racer["trial"] == trial:
            end = "" if racer["dropped_after"] is None else ", failed" if racer["failed"] else ", dropped"
            return f"raced: mean {_mean_in_words(racer)}{end}"
    return ""


def race_table(race: Mapping[str, Any], scored_on: str) -> str:
    """All that raced, the one with the highest mean first."""
    racers: Sequence[Racer] = race.get("racers") or ()
    rows = [
        (
            str(racer["trial"]),
            percent(racer["mean"]),
            str(len(racer["scores"])),
            _dropped_in_words(racer),
            racer["group_id"],
        )
        for racer in sorted(racers, key=lambda racer: -(racer["mean"] or 0.0))
    ]
    return table(("trial", f"mean {scored_on}", "new seeds", "dropped", "group"), rows)


def _mean_in_words(racer: Racer) -> str:
    seeds = len(racer["scores"])
    return f"{percent(racer['mean'])} over {seeds} new seed{'s' * (seeds != 1)}"


def _dropped_in_words(racer: Racer) -> str:
    if racer["failed"]:
        return "failed"
    return "no" if racer["dropped_after"] is None else f"after {racer['dropped_after']}"
