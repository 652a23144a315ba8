"""Accuracy and loss of a run by epoch as one SVG image."""

from __future__ import annotations

from experiments.inference.network import StoredWeights
from experiments.reports.characters import well_formed
from experiments.reports.charts import HEIGHT, WIDTH, RunCurve, charts_of
from experiments.runs.folder import Run


def render(run: Run, _source: StoredWeights | None, _arch: str | None) -> bytes:
    """The charts, one above the other; readable on light and on dark pages."""
    charts = charts_of([RunCurve(run.meta().name, [run.view()])])
    height = len(charts) * HEIGHT
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    placed = (
        f'<g transform="translate(0 {place * HEIGHT})">\n{chart}</g>' if place else chart.rstrip("\n")
        for place, chart in enumerate(charts)
    )
    return well_formed(f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n' + "\n".join(placed) + "\n</svg>\n")
