"""The epochs of a run, or of all runs of a group, as CSV: a row for each, its columns those of `epoch_finished`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields

from core.events import BY_LAYER, EpochFinished
from experiments.inference.network import StoredWeights
from experiments.runs.folder import Run


def render(run: Run, _source: StoredWeights | None, _arch: str | None) -> bytes:
    """Accuracies are fractions; a field that an epoch does not have is empty. What there is for each layer has a column
    for each, as in ``gradient_norms.Conv2d-1``."""
    return _table([_row(epoch) for epoch in run.view().epochs], ())


def render_group(runs: Sequence[Run]) -> bytes:
    """As `render` has them, run by run, each with its id and its seed, which is empty where none was fixed."""
    rows = []
    for run in runs:
        view = run.view()
        whose = {"run_id": run.id, "seed": view.config.get("seed")}
        rows += [whose | _row(epoch) for epoch in view.epochs]
    return _table(rows, ("run_id", "seed"))


def _table(rows: Sequence[dict[str, object]], first: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    plain = [field.name for field in fields(EpochFinished) if field.name not in BY_LAYER]
    columns = dict.fromkeys([*first, *plain, *(column for row in rows for column in row)])
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _row(epoch: EpochFinished) -> dict[str, object]:
    row = asdict(epoch)
    for name in sorted(BY_LAYER):
        row |= {f"{name}.{layer}": value for layer, value in row.pop(name).items()}
    return row
