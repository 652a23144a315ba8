"""The preview of a run in words: what it came to, its place among the others and why, what was changed for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.events import RunFailed, RunStopped
from experiments.results.origin import Change, row_changes
from experiments.results.ranking import rank_of
from experiments.runs.row import RunRow, Status
from experiments.statistics.descriptive import share_of
from experiments.statistics.digits import in_digits
from tui.live.runs.preview import RunPreview
from tui.text.output import percent
from tui.text.wording import arch_in_short, stopped_in_words, what_failed

MOST = 4
"""Changes that are named; of others their number is said."""
LEAST = 0.005
"""Percentage points that are no difference as accuracies are written."""
Part = tuple[str, str]
"""A heading, and what is said below it."""


def facts_of(preview: RunPreview, rows: Iterable[RunRow]) -> list[Part]:
    """The parts of a run's preview, those without content left out."""
    row = preview.item[0]
    parts = [
        ("Result", "\n".join(filter(None, (_result(preview), _target(preview), _end(preview))))),
        ("Why", _why(preview, rows)),
        ("Changed", _changed(preview)),
        ("Note", row.note),
    ]
    return [(heading, words) for heading, words in parts if words]


def _result(preview: RunPreview) -> str:
    """The scores; of a run with held-out images by epoch on those, and on the test images at its end."""
    row, view = preview.item[0], preview.view
    if preview.problem:
        return preview.problem
    words = []
    if row.best_test_accuracy is not None:
        words.append(f"best {percent(row.best_test_accuracy)} in epoch {view.best_epoch}")
    elif view.accuracies:
        words.append(f"held-out images: {percent(max(view.accuracies.values()))} in epoch {view.best_epoch}")
    if row.final_test_accuracy is not None:
        final = "final" if row.best_test_accuracy is not None else "test images, at the end:"
        words.append(f"{final} {percent(row.final_test_accuracy)}")
    return (", " if row.best_test_accuracy is not None else "\n").join(words) or (
        "no finished epoch yet" if preview.item[1] is Status.RUNNING else "no finished epoch"
    )


def _end(preview: RunPreview) -> str:
    """Why a run went no further; empty for one that has finished, or is live."""
    end = preview.view.end
    if preview.item[1] is Status.RUNNING:
        return ""
    if preview.item[1] is Status.CRASHED:
        return "crashed: its process is gone"
    if isinstance(end, RunFailed):
        return f"failed in epoch {end.epoch}: {what_failed(end)}"
    return stopped_in_words(end) if isinstance(end, RunStopped) else ""


def _target(preview: RunPreview) -> str:
    target, row = preview.view.config.get("target"), preview.item[0]
    if not isinstance(target, int | float) or not preview.view.accuracies:
        return ""
    on = "" if row.best_test_accuracy is not None else " on held-out images"
    if row.first_epoch_at_target is not None:
        return f"{target:g}% reached{on} in epoch {row.first_epoch_at_target}"
    missing = target - 100 * max(preview.view.accuracies.values())
    return f"{target:g}% not reached{on}: {missing:.2f} points short"


def _why(preview: RunPreview, rows: Iterable[RunRow]) -> str:
    row, started = preview.item[0], preview.view.started
    rank = rank_of(row, rows)
    if rank is None:
        return ""
    words = f"{_ordinal(rank.place)} of {rank.n} on {row.data}" if rank.n > 1 else f"the only one on {row.data}"
    if rank.rival is None:
        return words
    rival, points = rank.rival, 100 * abs(rank.gap)
    name = rival.name or rival.run_id
    ahead = "level with" if points < LEAST else f"{points:.2f} points {'ahead of' if rank.gap > 0 else 'behind'}"
    words += f", {ahead} {name}"
    different = row_changes(row, rival)
    words += f", which has {in_words(different, ours=False)}" if different else ", which has the same values"
    if started is not None and (own := row.best_or_final) is not None and (theirs := rival.best_or_final) is not None:
        share = share_of(round(own * started.test_images), started.test_images)
        if share.low is not None and share.high is not None and share.low <= theirs <= share.high:
            words += f". {started.test_images:,} test images do not tell the two apart"
    return f"{words}."


def _changed(preview: RunPreview) -> str:
    origin = preview.origin
    if origin is None:
        return ""
    source = f"{'fork of' if origin.is_parent else 'preset'} {origin.name}"
    return f"{source}, with {in_words(origin.changes)}" if origin.changes else f"{source} as it is"


def in_words(changes: Sequence[Change], *, ours: bool = True) -> str:
    """``lr 0.05 (0.03772), batch size 64 (256)``: the run's own value, and the other one behind it; not `ours`: only
    the other one."""
    named = [
        f"{field.replace('_', ' ')} {_value(field, here)} ({_value(field, there)})"
        if ours
        else f"{field.replace('_', ' ')} {_value(field, there)}"
        for field, here, there in changes[:MOST]
    ]
    return ", ".join(named) + (f" and {len(changes) - MOST} more" if len(changes) > MOST else "")


def _value(field: str, value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "none"
    return arch_in_short(str(value)) if field == "arch" else in_digits(value)


def _ordinal(number: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number:,}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"
