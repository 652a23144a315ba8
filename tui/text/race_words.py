"""The race between the best trials of a study, in words: who won, how sure that is, and how each of them stood."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from experiments.statistics.descriptive import describe
from experiments.studies.racing.rule import ALPHA, LOOKS, Lag, lags
from tui.text.output import counted, percent, table

Racer = Mapping[str, Any]
"""A trial in the record of a race, `StudyView.race`."""


def race_in_words(left: Sequence[int], dropped: Collection[int], failed: Collection[int], *, is_over: bool) -> str:
    """``race: trial 7 won, 3 are worse by more than chance``. `dropped` are all but those `left`."""
    worse, lost = len(dropped) - len(failed), len(failed)
    parts = [f"{worse or 'none'} {'are' if worse > 1 else 'is'} worse by more than chance"] if worse or not lost else []
    parts += [f"{lost} failed"] if lost else []
    rest, names = ", ".join(parts), _listed(left)
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
    if (winner := _winner_of(race)) is None:
        return words
    return f"{words}; its mean {_mean_in_words(winner)}; {wrong_in_words(race)}"


def wrong_in_words(race: Mapping[str, Any]) -> str:
    """How often a winner is wrong; empty while there is none."""
    is_won = race.get("is_over") is True and _winner_of(race) is not None
    return f"at most {ALPHA:.0%} of winners are wrong" if is_won else ""


def racer_in_words(race: Mapping[str, Any], trial: int) -> str:
    """``raced: mean 99.12% over 6 new seeds, dropped``; empty for a trial that did not race."""
    for racer in race.get("racers") or ():
        if racer["trial"] == trial:
            end = "" if racer["dropped_after"] is None else ", failed" if racer["failed"] else ", dropped"
            return f"raced: mean {_mean_in_words(racer)}{end}"
    return ""


def race_table(race: Mapping[str, Any], scored_on: str) -> str:
    """All that raced, the one with the highest mean first."""
    return table(*race_rows(race, scored_on))


def race_rows(race: Mapping[str, Any], scored_on: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The columns and the rows of `race_table`; of an interval, Student's of 95 %, nothing where there is no second
    seed."""
    racers: Sequence[Racer] = race.get("racers") or ()
    rows: list[tuple[str, ...]] = [
        (
            str(racer["trial"]),
            percent(racer["mean"]),
            interval_in_words(racer),
            str(len(racer["scores"])),
            _dropped_in_words(racer),
            racer["group_id"],
        )
        for racer in sorted(racers, key=lambda racer: -(racer["mean"] or 0.0))
    ]
    return ("trial", f"mean {scored_on}", "95% interval", "new seeds", "dropped", "group"), rows


def interval_in_words(racer: Racer) -> str:
    """``99.05% to 99.19%``, in which the mean over all seeds is to be expected; a dash for fewer than two seeds."""
    sample = describe(racer["scores"], (0.0, 1.0)) if racer["scores"] else None
    if sample is None or sample.low is None or sample.high is None:
        return "-"
    return f"{percent(sample.low)} to {percent(sample.high)}"


def rounds_in_words(race: Mapping[str, Any]) -> list[str]:
    """A line for each round that is over, with who is out and why, and one for what comes of it or comes next."""
    racers: Sequence[Racer] = race.get("racers") or ()
    if not racers:
        return []
    lines = []
    for seeds in LOOKS:
        there = [racer for racer in racers if racer["dropped_after"] is None or racer["dropped_after"] >= seeds]
        if len(there) < 2:
            break
        if not all(racer["failed"] or len(racer["scores"]) >= seeds for racer in there):
            lines.append(f"{seeds} new seeds each: {_trials(there)} race now")
            return lines
        lines.append(f"{seeds} new seeds each, {len(there)} raced: {_out_in_words(racers, there, seeds)}")
    winner = _winner_of(race)
    if winner is not None:
        lines.append(f"trial {winner['trial']} won: its mean {_mean_in_words(winner)}")
    elif race["is_over"] is True:
        lines.append(f"after {max(LOOKS)} seeds it cannot tell which is best" if race["left"] else "nobody won")
    return lines


def _out_in_words(racers: Sequence[Racer], there: Sequence[Racer], seeds: int) -> str:
    """Who is out after a round, by how much each was behind, and by how much chance may put one behind."""
    out = [racer for racer in there if racer["dropped_after"] == seeds]
    if not out:
        return "nobody is out"
    lagging = _lags_after(racers, there, seeds)
    words = []
    for racer in out:
        if racer["failed"]:
            words.append(f"trial {racer['trial']} is out, a run of it failed")
        elif (lag := lagging.get(racer["trial"])) is not None:
            behind = f"{100 * lag.behind:.2f} points behind trial {lag.ahead}, by chance up to {100 * lag.limit:.2f}"
            words.append(f"trial {racer['trial']} is out, {behind}")
        else:
            words.append(f"trial {racer['trial']} is out")
    return "; ".join(words)


def _lags_after(racers: Sequence[Racer], there: Sequence[Racer], seeds: int) -> Mapping[int, Lag]:
    """As the race compared them then; a record that somebody has changed may not have the scores for it."""
    scores = {racer["trial"]: racer["scores"][:seeds] for racer in racers}
    left = [racer["trial"] for racer in there if not racer["failed"]]
    with suppress(ValueError, TypeError, ZeroDivisionError, KeyError):
        return lags(scores, left, len(racers))
    return {}


def _trials(racers: Sequence[Racer]) -> str:
    return f"trials {_listed([racer['trial'] for racer in racers])}"


def _listed(trials: Sequence[int]) -> str:
    *names, last = map(str, trials) if trials else ("",)
    return f"{', '.join(names)} and {last}" if names else last


def _winner_of(race: Mapping[str, Any]) -> Racer | None:
    """The one that is left of a race that is over."""
    if race["is_over"] is not True:
        return None
    return next((racer for racer in race["racers"] if race["left"] == [racer["trial"]]), None)


def _mean_in_words(racer: Racer) -> str:
    seeds, interval = len(racer["scores"]), interval_in_words(racer)
    between = f" (95% interval {interval})" if interval != "-" else ""
    return f"{percent(racer['mean'])} over {counted(seeds, 'new seed')}{between}"


def _dropped_in_words(racer: Racer) -> str:
    if racer["failed"]:
        return "failed"
    return "no" if racer["dropped_after"] is None else f"after {racer['dropped_after']}"
