"""Several seeds as one result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from core.errors import printable
from experiments.statistics.digits import in_digits
from tui.text.output import filled, percent, say, table

if TYPE_CHECKING:
    from experiments.inference.ensemble import EnsembleScore
    from experiments.results.groups import Group, GroupMember
    from experiments.runs.store import Store
    from experiments.statistics.descriptive import Sample


def say_group(
    store: Store, group_id: str, *, as_json: bool, in_full: bool = False, ensemble: EnsembleScore | None = None
) -> None:
    """Print what the runs of a group came to: of each score mean, standard deviation, n and 95 % interval, how many
    reached the target and when, which do not count, with `in_full` their config and how their accuracy grew, and what
    they score together where that is known."""
    from experiments.results.groups import SCORES, find_group, make_group

    group = find_group(store, group_id) or make_group(group_id, ())
    if as_json:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        record = {"event": "group_finished", "time": now, "run_id": None, **group.to_json()}
        say(json.dumps(record if ensemble is None else record | {"ensemble": ensemble.to_json()}, allow_nan=False))
        return
    if in_full:
        _say_curve(group)
    say(f"group {printable(group.title)}: {len(group.finished)} of {len(group.members)} runs finished")
    if in_full:
        shared = group.shared_config()
        shared.pop("seed", None)  # of a group of one
        say_config(shared)
    for score in SCORES:
        if (sample := group.sample(score)) is not None:
            say(f"  {score:8} {in_words(sample)}{' (optimistic)' if score == 'best' else ''}")
    if ensemble is not None:
        say(f"  ensemble {_ensemble_in_words(ensemble)}")
    if target := group.target_in_words():
        say(f"  target   {target}")
    if group.unfinished:
        say(f"  not in   {', '.join(map(_named, group.unfinished))}")
    if group.repeated:
        say(f"  repeated {', '.join(map(_named, group.repeated))}: same seed and weights as another, counted once")
    if varying := group.varying():
        say(f"  beware   its runs differ in {', '.join(varying)}: these are not numbers of one recipe")


def say_config(config: Mapping[str, Any]) -> None:
    """``arch=conv9 epochs=20 lr=0.03772`` on lines of a terminal's usual width, without what is not set."""
    values = [printable(f"{field}={in_digits(value)}") for field, value in config.items() if value is not None]
    if values:
        say(f"  config   {filled(values, indent=11)}")


def in_words(sample: Sample) -> str:
    """``mean 99.35%, standard deviation 0.040 points, n = 5, 95% interval 99.30% to 99.40%``."""
    if sample.sd is None:
        return f"{percent(sample.mean)} (n = 1: no interval)"
    if sample.low is None or sample.high is None:
        return f"{percent(sample.mean)} (n = {sample.n}, all equal: no interval)"
    interval = f"{percent(sample.low)} to {percent(sample.high)}"
    spread = f"standard deviation {100 * sample.sd:.3f} points"
    return f"mean {percent(sample.mean)}, {spread}, n = {sample.n}, 95% interval {interval}"


def _ensemble_in_words(score: EnsembleScore) -> str:
    """``99.71% by the mean of the probabilities of 5 runs, 95% interval ..., alone 99.62% on average``."""
    found = score.to_json()
    interval = f"95% interval {percent(found['low'])} to {percent(found['high'])} over test images"
    alone = f"alone they have {percent(score.mean_accuracy)} on average"
    return f"{percent(score.accuracy)} by the mean of the probabilities of {found['runs']} runs, {interval}; {alone}"


def _named(member: GroupMember) -> str:
    seed = "no seed" if member.seed is None else f"seed {member.seed}"
    return f"{member.run_id} ({seed}, {member.status})"


def _say_curve(group: Group) -> None:
    from experiments.results.groups import accuracy

    rows = [
        (epoch, *(percent(value) for value in (at.median, at.q1, at.q3, at.min, at.max)), at.n)
        for epoch, at in group.curve(accuracy).items()
    ]
    if rows:
        say(table(("epoch", "median", "lower quartile", "upper quartile", "lowest", "highest", "runs"), rows))
