"""What several seeds came to, as one result."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tui.output import percent, say, table

if TYPE_CHECKING:
    from experiments.groups import Group, Member
    from experiments.stats import Sample
    from experiments.store import Store


def say_group(store: Store, group_id: str, *, as_json: bool, curve: bool = False) -> None:
    """Print what the runs of a group came to: of each score mean, standard deviation, n and 95 % interval, how many
    reached the target and when, which do not count, and with `curve` how their accuracy grew."""
    from experiments.groups import SCORES, find_group, make_group

    group = find_group(store, group_id) or make_group(group_id, ())
    if as_json:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        say(json.dumps({"event": "group_finished", "time": now, "run_id": None, **group.to_json()}, allow_nan=False))
        return
    if curve:
        _say_curve(group)
    say(f"group {group.id}: {len(group.finished)} of {len(group.members)} runs finished")
    for score in SCORES:
        if (sample := group.sample(score)) is not None:
            say(f"  {score:8} {in_words(sample)}{' (optimistic)' if score == 'best' else ''}")
    if group.epochs_to_target():
        say(f"  target   {_target_in_words(group)}")
    if group.unfinished:
        say(f"  not in   {', '.join(map(_named, group.unfinished))}")
    if group.repeated:
        say(f"  repeated {', '.join(map(_named, group.repeated))}: same seed and weights as another, counted once")
    if varying := group.varying():
        say(f"  beware   its runs differ in {', '.join(varying)}: these are not numbers of one recipe")


def in_words(sample: Sample) -> str:
    """``mean 99.35%, standard deviation 0.040 points, n = 5, 95% interval 99.30% to 99.40%``."""
    if sample.sd is None:
        return f"{percent(sample.mean)} (n = 1: no interval)"
    if sample.low is None or sample.high is None:
        return f"{percent(sample.mean)} (n = {sample.n}, all equal: no interval)"
    interval = f"{percent(sample.low)} to {percent(sample.high)}"
    spread = f"standard deviation {100 * sample.sd:.3f} points"
    return f"mean {percent(sample.mean)}, {spread}, n = {sample.n}, 95% interval {interval}"


def _target_in_words(group: Group) -> str:
    reached, target, median = group.reached(), group.target(), group.median_epoch_to_target()
    interval = f"95% interval {100 * (reached.low or 0):.0f}% to {100 * (reached.high or 0):.0f}%"
    when = "not by half of them" if median is None else f"half of them by epoch {median:g}"
    what = "their own targets" if target is None else f"{target:g}%"
    return f"{what} reached by {reached.count} of {reached.n} ({interval}), {when}"


def _named(member: Member) -> str:
    seed = "no seed" if member.seed is None else f"seed {member.seed}"
    return f"{member.run_id} ({seed}, {member.status})"


def _say_curve(group: Group) -> None:
    from experiments.groups import accuracy

    rows = [
        (epoch, *(percent(value) for value in (at.median, at.lower, at.upper, at.least, at.greatest)), at.n)
        for epoch, at in group.curve(accuracy).items()
    ]
    if rows:
        say(table(("epoch", "median", "lower quartile", "upper quartile", "lowest", "highest", "runs"), rows))
