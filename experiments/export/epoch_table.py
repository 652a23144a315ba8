"""The epochs of a run as CSV: a row for each, its columns those of `epoch_finished` in the log."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields

from core.events import EpochFinished
from experiments.inference.network import StoredWeights
from experiments.runs.folder import Run


def render(run: Run, _source: StoredWeights | None, _arch: str | None) -> bytes:
    """Accuracies are fractions; a field that an epoch does not have is empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(EpochFinished)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in run.view().epochs)
    return text.getvalue().encode()
