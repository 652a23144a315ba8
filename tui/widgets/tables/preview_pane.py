"""A run at a glance, beside the list: its curve, what it came to and why, what was changed for it, its note."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from experiments.runs.row import RunRow
from experiments.runs.view import RunView
from tui.drawing.plot import LinePlot, PlotLine
from tui.live.runs.listing import ListEntry
from tui.live.runs.preview import RunPreview
from tui.live.runs.why import facts_of
from tui.text.wording import arch_in_short
from tui.widgets.charts.plot_view import PlotView


class PreviewPane(Vertical):
    """Of fixed sizes, so that nothing is laid out anew when the cursor moves; what has no room below is not shown."""

    DEFAULT_CSS = """
    PreviewPane { width: 44; border-left: solid $foreground 25%; padding: 0 1; }
    PreviewPane > #preview-title { height: 5; }
    PreviewPane > #preview-curve { height: 8; margin-bottom: 1; }
    PreviewPane > #preview-facts { height: 1fr; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._shown: object = None

    def compose(self) -> ComposeResult:
        yield Static(id="preview-title", markup=False)
        yield PlotView(id="preview-curve")
        yield Static(id="preview-facts", markup=False)

    def show(self, entry: ListEntry, preview: RunPreview | None, rows: Sequence[RunRow], group_words: str = "") -> None:
        """Show an entry of the list; of a fold its best run. Without a preview only what the list knows."""
        key = (entry, preview, group_words, len(rows))
        if key == self._shown:
            return
        self._shown = key
        title, facts = (self.query_one(f"#preview-{part}", Static) for part in ("title", "facts"))
        plot = self.query_one("#preview-curve", PlotView)
        row, _ = entry.shown
        title.update(_title(entry, row, group_words), layout=False)
        if preview is None:
            facts.update("reading it...", layout=False)
            plot.clear()
            return
        view = preview.view
        if not view.accuracies:
            plot.clear()
        else:
            plot.show((row.run_id, len(view.epochs), view.updated_at), lambda plain: curve_of(view, ascii_only=plain))
        gap = "\n\n" if self.size.height > 30 else "\n"
        parts = [Content.assemble((f"{head}\n", "bold $text-muted"), words) for head, words in facts_of(preview, rows)]
        facts.update(Content(gap).join(parts), layout=False)


def _title(entry: ListEntry, row: RunRow, group_words: str) -> Content:
    name = row.name or row.run_id
    network = arch_in_short(row.arch)
    size = f", {row.total_params:,} parameters" if row.total_params is not None else ""
    parts: list[str | tuple[str, str]] = []
    if entry.fold is not None:
        what = "Sweep" if entry.fold.is_sweep else "Group"
        parts += [(f"{what} {entry.fold.name}", "bold"), f"\n{group_words or entry.fold.words}\n", "its best: "]
    parts += [(name, "bold"), f"\n{network}{size}"]
    if row.tags:
        parts.append((f"\n{' '.join(f'#{tag}' for tag in row.tags)}", "$text-accent"))
    return Content.assemble(*parts)


def curve_of(view: RunView, *, ascii_only: bool) -> LinePlot:
    """Accuracy in percent by epoch on scored images, with the target, unless it is far, and its epoch."""
    scored = view.accuracies
    xs, ys = np.array(list(scored), dtype=float), 100 * np.array(list(scored.values()))
    last = max(float(view.epochs[-1].epoch), 2.0)
    # From the second epoch on, so that the first, which is far below, does not press the rest into a line.
    low = float(ys[1:].min()) if len(ys) > 2 else float(ys.min())
    high = max(float(ys.max()), low + 0.1)
    target = view.config.get("target")
    rule = float(target) if isinstance(target, int | float) and low < target < 2 * high - low else None
    labels = {high: f"{high:.2f}"} | ({rule: f"{rule:g}"} if rule is not None else {})
    high = max(high, rule or 0.0)
    low -= 0.1 * (high - low)
    reached = view.first_epoch_at_target
    return LinePlot(
        across=(1.0, last),
        up=(low, high),
        layers=[PlotLine("test" if view.best_test_accuracy is not None else "held out", xs, ys)],
        x_labels={1.0: "1", last: f"epoch {last:.0f}"},
        y_labels={low: f"{low:.2f}"} | labels,
        marked=float(reached) if reached is not None else None,
        rule=rule,
        ascii_only=ascii_only,
    )
