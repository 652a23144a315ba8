"""A run, or the group that it belongs to, in the line under the list of runs."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.row import Status
from tui.catalog import Item, stem_of
from tui.output import percent


def run_in_words(item: Item, items: Sequence[Item]) -> str:
    """What there is no column for: of a run alone its id and network, of one in a group what the group came to."""
    row, _ = item
    if row.group_id is None:
        return f"{row.run_id}  {row.arch}"
    members = [(other, status) for other, status in items if other.group_id == row.group_id]
    finished = [other for other, status in members if status is Status.FINISHED]
    # A seed that was trained twice says nothing new.
    seeds = list({other.seed: other for other in finished}.values())
    words = f"group {stem_of(row)} of {len(members)}: ".replace("  ", " ") + f"{len(finished)} finished"
    final = _mean([other.final_test_accuracy for other in seeds])
    best = _mean([other.best_test_accuracy for other in seeds])
    return words + (f", final {final}" if final else "") + (f", best {best}" if best else "") + f"  {row.group_id}"


def _mean(scores: Sequence[float | None]) -> str:
    """Mean and standard deviation of those that are known, in percent; empty for none."""
    known = [score for score in scores if score is not None]
    if not known:
        return ""
    mean = sum(known) / len(known)
    if len(known) == 1:
        return percent(mean)
    deviation = (sum((score - mean) ** 2 for score in known) / (len(known) - 1)) ** 0.5
    return f"{percent(mean)} (sd {100 * deviation:.2f})"
