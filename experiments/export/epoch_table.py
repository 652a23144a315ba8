"""The epochs of a run as CSV: a row for each, its columns those of `epoch_finished` in the log."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields

from core.events import BY_LAYER, EpochFinished
from experiments.inference.network import StoredWeights
from experiments.runs.folder import Run


def render(run: Run, _source: StoredWeights | None, _arch: str | None) -> bytes:
    """Accuracies are fractions; a field that an epoch does not have is empty. What there is for each layer has a column
    for each, as in ``gradient_norms.Conv2d-1``."""
    text = io.StringIO(newline="")
    rows = [_row(epoch) for epoch in run.view().epochs]
    plain = [field.name for field in fields(EpochFinished) if field.name not in BY_LAYER]
    columns = dict.fromkeys([*plain, *(column for row in rows for column in row)])
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _row(epoch: EpochFinished) -> dict[str, object]:
    row = asdict(epoch)
    for name in sorted(BY_LAYER):
        row |= {f"{name}.{layer}": value for layer, value in row.pop(name).items()}
    return row
