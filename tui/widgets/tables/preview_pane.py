"""A run at a glance, beside the list: its curve, what it came to and why, what was changed for it, its note."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from experiments.runs.row import STUDY_TAG, RunRow
from experiments.runs.view import RunView
from tui.drawing.plot import LinePlot, PlotLine
from tui.live.runs.listing import ListEntry
from tui.live.runs.preview import RunPreview
from tui.live.runs.why import facts_of
from tui.text.wording import arch_in_short
from tui.widgets.charts.plot_view import PlotView

LEAST_SPAN = 0.1
"""Percentage points that a curve is drawn over at least: of one epoch, or of equal ones, the value is in the middle."""


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
        self._asked: object = None
        self._said: dict[str, Content] = {}

    def compose(self) -> ComposeResult:
        yield Static(id="preview-title", markup=False)
        yield PlotView(id="preview-curve")
        yield Static(id="preview-facts", markup=False)

    def show(self, entry: ListEntry, preview: RunPreview | None, rows: Sequence[RunRow], group_words: str = "") -> None:
        """Show an entry of the list; of a fold its best run. Without a preview only what the list knows. A part is
        painted anew only where what it says is other than before: a run that goes on changes with each look at it."""
        asked = (entry, preview, group_words, rows)
        if asked == self._asked:
            return
        self._asked = asked
        row, _ = entry.shown
        self._say("title", _title(entry, row))
        plot = self.query_one("#preview-curve", PlotView)
        if preview is None:
            self._say("facts", Content("reading it..."))
            plot.clear()
            return
        view = preview.view
        if not view.accuracies:
            plot.clear()
        else:
            key = (row.run_id, view.epochs, view.config.get("target"))
            plot.show(key, lambda plain: curve_of(view, ascii_only=plain))
        gap = "\n\n" if self.size.height > 30 else "\n"
        parts = facts_of(preview, rows)
        if group_words:
            parts.insert(0, ("Group", group_words))
        self._say(
            "facts",
            Content(gap).join(Content.assemble((f"{head}\n", "bold $text-muted"), words) for head, words in parts),
        )

    def _say(self, part: str, words: Content) -> None:
        if self._said.get(part) != words:
            self._said[part] = words
            self.query_one(f"#preview-{part}", Static).update(words, layout=False)


def _title(entry: ListEntry, row: RunRow) -> Content:
    name = row.name or row.run_id
    size = f", {row.total_params:,} parameters" if row.total_params is not None else ""
    parts: list[str | tuple[str, str]] = []
    tags = row.tags
    if (fold := entry.fold) is not None:
        what, best = ("Sweep", "best on test images") if fold.is_sweep else ("Group", "its best")
        parts += [(f"{what} {fold.name}", "bold"), f", {fold.words}\n{best}: "]
        tags = tuple(tag for tag in tags if not tag.startswith(STUDY_TAG))
    parts += [(name, "bold"), f"\n{arch_in_short(row.arch)}{size}"]
    if tags:
        parts.append((f"\n{' '.join(f'#{tag}' for tag in tags)}", "$text-accent"))
    return Content.assemble(*parts)


def curve_of(view: RunView, *, ascii_only: bool) -> LinePlot:
    """Accuracy in percent by epoch on scored images, which its lower axis names, with the target, unless it is far, and
    its epoch. The labels on its left are of the highest and the lowest value that it shows."""
    scored = view.accuracies
    xs, ys = np.array(list(scored), dtype=float), 100 * np.array(list(scored.values()))
    first, last = 1.0, float(view.epochs[-1].epoch)
    # From the second epoch on, so that the first, which is far below, does not press the rest into a line.
    bottom = float(ys[1:].min()) if len(ys) > 2 else float(ys.min())
    top = float(ys.max())
    labels = {bottom: f"{bottom:.2f}", top: f"{top:.2f}"}
    low, high = (bottom, top) if top - bottom >= LEAST_SPAN else (bottom - LEAST_SPAN / 2, bottom + LEAST_SPAN / 2)
    target = view.config.get("target")
    rule = float(target) if isinstance(target, int | float) and low < target < 2 * high - low else None
    if rule is not None:
        labels[rule] = f"{rule:g}"
        high = max(high, rule)
    what = "test %" if view.best_test_accuracy is not None else "held-out %"
    ends = {1.0: "epoch 1"} if last == first else {1.0: "1", last: f"epoch {last:.0f}"}
    reached = view.first_epoch_at_target
    return LinePlot(
        across=(first, last) if last > first else (0.5, 1.5),
        up=(max(low - 0.1 * (high - low), 0.0), min(high, 100.0)),
        layers=[PlotLine("test" if view.best_test_accuracy is not None else "held out", xs, ys)],
        x_labels={**ends, (first + last) / 2 if last > first else 0.5: what},
        y_labels=labels,
        marked=float(reached) if reached is not None else None,
        rule=rule,
        ascii_only=ascii_only,
    )
