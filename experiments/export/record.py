"""A run as one JSON object: what was trained, its curves by epoch and by step, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from core.events import StepProgress, to_record
from experiments.inference.network import StoredWeights
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Run
from experiments.runs.view import fold


def render(run: Run, _source: StoredWeights | None, _arch: str | None) -> bytes:
    """Accuracies are fractions; `steps` are the progress events, some ten a second, without repetitions."""
    steps: dict[tuple[int, int], StepProgress] = {}

    def remembered(entries: Iterator[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if isinstance(event := entry.event, StepProgress):
                # A resumed run repeats the steps since its checkpoint, with the same results.
                steps[event.epoch, event.step] = event
            yield entry

    view = fold(remembered(EventReader(run.log).poll()))
    record: dict[str, Any] = {
        "run_id": run.id,
        "name": run.meta().name,
        "note": run.meta().note,
        "status": str(run.status()),
        "config": dict(view.config) or run.config(),
        "started": to_record(view.started) if view.started else None,
        "epochs": [asdict(epoch) for epoch in view.epochs],
        "steps": [asdict(steps[key]) for key in sorted(steps)],
        "end": to_record(view.end) if view.end else None,
        "environment": run.environment(),
    }
    return json.dumps(record, indent=1, allow_nan=False).encode() + b"\n"
