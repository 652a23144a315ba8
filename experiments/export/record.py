"""A run as one JSON object: what was trained, its curves by epoch and by step, and how it ended."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from io import BytesIO
from itertools import chain, pairwise
from typing import Any

from core.events import StepProgress, to_record
from experiments.inference.network import StoredWeights
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Run
from experiments.runs.view import fold

CHUNK = 10_000
"""Steps that are written at a time."""


def render(run: Run, _source: StoredWeights | None, _arch: str | None) -> bytes:
    """Accuracies are fractions; `steps` are the progress events, some ten a second, without repetitions."""
    steps = _Steps()

    def remembered(entries: Iterator[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if isinstance(event := entry.event, StepProgress):
                steps.add(event)
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
        "steps": [],
        "end": to_record(view.end) if view.end else None,
        "environment": run.environment(),
    }
    text = json.dumps(record, indent=1, allow_nan=False).encode() + b"\n"
    before, none, after = text.partition(b'\n "steps": []')  # which no text in it has: there a new line is escaped
    if not len(steps):
        return text
    whole = BytesIO()  # in which the text is once, and not twice as where its parts are joined
    for part in chain((before, none[:-1]), steps.chunks(), (b"\n ]", after)):
        whole.write(part)
    return whole.getvalue()


class _Steps:
    """The progress events of a log, as bare numbers: a log of days has millions of them."""

    def __init__(self) -> None:
        self._epochs, self._steps, self._counts = array("q"), array("q"), array("q")
        self._losses, self._speeds = array("d"), array("d")  # NaN for a loss of None
        self._threads = array("q")  # 0 for None

    def __len__(self) -> int:
        return len(self._speeds)

    def add(self, event: StepProgress) -> None:
        """Remember one; a damaged one, with numbers that no run has, is passed over."""
        largest = max(abs(event.epoch), abs(event.step), abs(event.steps_per_epoch), abs(event.threads or 0))
        if largest.bit_length() < 63:
            self._epochs.append(event.epoch)
            self._steps.append(event.step)
            self._counts.append(event.steps_per_epoch)
            self._losses.append(float("nan") if event.loss is None else event.loss)
            self._speeds.append(event.images_per_second)
            self._threads.append(event.threads or 0)

    def chunks(self) -> Iterator[bytes]:
        """Those of all steps as JSON, in the layout of an indent of 1."""
        places = self._places()
        for start in range(0, len(places), CHUNK):
            text = ",".join(self._written(place) for place in places[start : start + CHUNK])
            yield f"{',' if start else ''}{text}".encode()

    def _places(self) -> Sequence[int]:
        """Where the events stand by epoch and step; of a step that a resumed run has repeated, the last one."""
        if all(one < other for one, other in pairwise(zip(self._epochs, self._steps, strict=True))):
            return range(len(self))
        last = {key: place for place, key in enumerate(zip(self._epochs, self._steps, strict=True))}
        return [last[key] for key in sorted(last)]

    def _written(self, place: int) -> str:
        loss = self._losses[place]
        return (
            f'\n  {{\n   "epoch": {self._epochs[place]},\n   "step": {self._steps[place]},'
            f'\n   "steps_per_epoch": {self._counts[place]},\n   "loss": {"null" if loss != loss else repr(loss)},'
            f'\n   "images_per_second": {self._speeds[place]!r},\n   "threads": {self._threads[place] or "null"}\n  }}'
        )
