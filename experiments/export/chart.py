"""Accuracy and loss of a run by epoch as one SVG image."""

from __future__ import annotations

from experiments.inference.network import StoredWeights
from experiments.reports.characters import well_formed
from experiments.reports.charts import HEIGHT, RunCurve, accuracy_chart, loss_chart
from experiments.runs.folder import Run

WIDTH = 720


def render(run: Run, _source: StoredWeights | None, _arch: str | None) -> bytes:
    """The two charts, one above the other; readable on light and on dark pages."""
    curves = [RunCurve(run.meta().name, [run.view()])]
    size = f'width="{WIDTH}" height="{2 * HEIGHT}" viewBox="0 0 {WIDTH} {2 * HEIGHT}"'
    return well_formed(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{accuracy_chart(curves)}'
        f'<g transform="translate(0 {HEIGHT})">\n{loss_chart(curves)}</g>\n</svg>\n'
    )
