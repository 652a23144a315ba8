"""The charts of a study, side by side where there is room: values by trial, one trial by epoch, importance."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from experiments.studies.view import StudyView, TrialView
from tui.drawing.bars import bar
from tui.text.study_report import COSTS, importance_obstacle
from tui.text.study_words import VALUES
from tui.widgets.charts.overlay import MARKERS, Overlay, Readout, together
from tui.widgets.charts.study_curves import MEDIAN, PRUNED, THIS, TRIAL, by_epoch, front_curves, history

PANELS = {"history": "Best so far", "epochs": "By epoch", "importance": "Importance"}
LABEL = 14
LEAST_INTERVAL = 2.5
"""Seconds between two drawings of what comes by itself: two charts are ten thousand bytes for a terminal."""


class Importance(Static, can_focus=True):
    """A bar for each dimension of the space, the most important first."""

    DEFAULT_CSS = """
    Importance { border: round $foreground 25%; border-title-color: $text-muted; border-subtitle-color: $text-muted;
        padding: 0 1; }
    Importance:focus { border: round $primary; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self.border_title = "Importance"
        self._shown: object = None
        self._view: StudyView | None = None

    def show(self, view: StudyView) -> None:
        self._view = view
        key = (dict(view.importance), importance_obstacle(view), self.content_size.width)
        if key != self._shown and self.content_size.width > 0:
            self._shown = key
            self.border_subtitle = "PED-ANOVA" if view.importance else ""
            self.update(importance_lines(view, self.content_size.width), layout=False)

    def on_resize(self) -> None:
        if self._view is not None:
            self.show(self._view)


def importance_lines(view: StudyView, width: int) -> Content:
    """Bars that share the width, or why there are none."""
    if not view.importance:
        return Content.styled(importance_obstacle(view), "$text-muted")
    label = min(LABEL, max(map(len, view.importance)))
    room = max(4, width - label - 6)
    shares: Mapping[str, float] = view.importance
    return Content("\n").join(
        Content.assemble(f"{field[:label]:<{label}} ", (bar(share, room), "$primary"), f" {share:4.0%}")
        for field, share in sorted(shares.items(), key=lambda item: -item[1])
    )


class StudyCharts(Horizontal):
    """In a narrow window only the panel named `current` is there."""

    DEFAULT_CSS = """
    StudyCharts > * { width: 1fr; height: 1fr; }
    StudyCharts > #importance { width: 36; }
    """

    def __init__(self, *, ascii_only: bool, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._ascii = ascii_only
        self._markers = MARKERS[ascii_only]
        self._line = "." if ascii_only else "⣀"
        self.current = next(iter(PANELS))
        self._drawn_at = -math.inf
        self._waiting: tuple[StudyView, TrialView | None] | None = None

    def compose(self) -> ComposeResult:
        yield Overlay(id="history", ascii_only=self._ascii)
        yield Overlay(id="epochs", ascii_only=self._ascii)
        yield Importance(id="importance")

    def on_mount(self) -> None:
        self.turn(0)

    def turn(self, by: int) -> None:
        """Put the panel so many places on in the place of the current one."""
        names = list(PANELS)
        self.current = names[(names.index(self.current) + by) % len(names)]
        for name in names:
            self.query_one(f"#{name}").set_class(name == self.current, "-current")

    def show(self, view: StudyView, trial: TrialView | None, *, now: bool = False) -> None:
        """The study, and the trial whose epochs are shown: when that is due, or `now`. Only what differs is drawn."""
        self._waiting = (view, trial)
        self.draw_when_due(now=now)

    def draw_when_due(self, *, now: bool = False) -> None:
        """Draw what waits for it, unless the last drawing was just now."""
        if self._waiting is None or not (now or time.monotonic() - self._drawn_at >= LEAST_INTERVAL):
            return
        view, trial = self._waiting
        self._waiting, self._drawn_at = None, time.monotonic()
        self._show_history(view)
        self._show_epochs(view, trial)
        self.query_one(Importance).show(view)

    def _show_front(self, view: StudyView) -> None:
        """In place of the values by trial, of which there is no best with several objectives."""
        name, signs = view.plan.objectives[1], self._markers
        what = "TEST accuracy %, optimistic" if view.plan.scored_on == "test" else "Held-out accuracy %"
        others = " and ".join(COSTS[objective] for objective in view.plan.objectives[2:])
        more = f"  front also by {others}" if others else ""
        curves = front_curves(view)
        front = next(curve.ys for curve in curves if curve.number == TRIAL)
        bounds, below = together(curves, min(front, default=math.inf))
        self.query_one("#history", Overlay).show(
            tuple(trial.scores for trial in view.trials),
            curves,
            title=f"{what}, by {COSTS[name]}",
            axis=f"{signs[TRIAL]} on the front  {signs[PRUNED]} other{more}{below}",
            bounds=bounds,
            top=100.0,
        )

    def _show_history(self, view: StudyView) -> None:
        if len(view.plan.objectives) > 1:
            self._show_front(view)
            return
        ended = tuple((t.number, t.value, t.state) for t in view.trials if t.state in ("finished", "pruned"))
        signs = self._markers
        what = "TEST accuracy %, optimistic" if view.plan.scored_on == "test" else "Held-out accuracy %"
        other = "" if view.values_are == view.plan.scored_on else f" ({VALUES[view.values_are]})"
        pruned = f"  {signs[PRUNED]} pruned{other}" if view.count("pruned") else ""
        curves = history(view)
        bounds, below = together(curves)
        self.query_one("#history", Overlay).show(
            (ended, len(view.trials)),
            curves,
            title=f"{what}, by trial",
            axis=f"{signs[TRIAL]} trial{pruned}  {self._line} best so far{below}",
            bounds=bounds,
            top=100.0,
            readout=Readout("trial", {TRIAL: "value", PRUNED: "pruned at"}),
        )

    def _show_epochs(self, view: StudyView, trial: TrialView | None) -> None:
        overlay, signs = self.query_one("#epochs", Overlay), self._markers
        if trial is None:
            overlay.show((), (), title="By epoch", axis="")
            return
        curves = by_epoch(view, trial)
        key = (trial.number, *(tuple(map(tuple, (curve.xs, curve.ys))) for curve in curves))
        legend = f"{signs[THIS]} trial {trial.number}  {signs[MEDIAN]} median of others"
        names = Readout("epoch", {THIS: f"trial {trial.number}", MEDIAN: "median of others"})
        title = f"Trial {trial.number} {VALUES[view.values_are]} %, by epoch"
        overlay.show(key, curves, title=title, axis=legend, top=100.0, readout=names)
