"""What several seeds came to, as one result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from core.events import RunFinished
from experiments.stats import Sample, describe
from experiments.view import RunView
from tui.output import percent, say


def say_group(group_id: str, views: Sequence[RunView], *, as_json: bool) -> None:
    """Print mean, standard deviation, n and 95 % interval of each score that all finished runs have."""
    ends = [view.end for view in views if isinstance(view.end, RunFinished)]
    samples: dict[str, Sample] = {}
    for key in ("final_test_accuracy", "best_test_accuracy", "selected_test_accuracy"):
        values = [value for end in ends if (value := getattr(end, key)) is not None]
        if values:
            samples[key] = describe(values)
    if as_json:
        record: dict[str, str | None] = {
            "event": "group_finished",
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        record["run_id"] = None
        scores = {key: asdict(sample) for key, sample in samples.items()}
        say(json.dumps({**record, "group_id": group_id, "runs": len(views), "n": len(ends), **scores}))
        return
    say(f"group {group_id}: {len(ends)} of {len(views)} runs finished")
    for key, sample in samples.items():
        say(f"  {key.removesuffix('_test_accuracy'):8} {_in_words(sample)}")


def _in_words(sample: Sample) -> str:
    if sample.sd is None or sample.low is None or sample.high is None:
        return f"{percent(sample.mean)} (n = 1: no interval)"
    interval = f"{percent(sample.low)} to {percent(sample.high)}"
    spread = f"standard deviation {100 * sample.sd:.3f} points"
    return f"mean {percent(sample.mean)}, {spread}, n = {sample.n}, 95% interval {interval}"
