"""Compare: up to eight runs and groups in one chart, what differs in their configs, and which is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import ContentSwitcher, Static

from core.errors import LabError
from experiments.reports.scale import around
from experiments.runs.row import Status
from tui.drawing.series import SMOOTHING, Values, smoothed
from tui.live.comparing import AXES, METRICS, Entrant, common_data, find_entrants, what_to_mind
from tui.live.task import BackgroundTask, in_a_sentence
from tui.screens.base import WorkScreen
from tui.widgets.charts.frontier_view import FrontierView
from tui.widgets.charts.overlay import Curve, Overlay, Readout
from tui.widgets.keys import bind
from tui.widgets.lines.line import Line
from tui.widgets.lines.tab_line import TabLine
from tui.widgets.pictures.disagreements import Disagreements
from tui.widgets.tables.compare_tables import DifferenceTable, EntrantTable

if TYPE_CHECKING:
    from experiments.results.compare import ComparisonReport

LOOK = 0.5
ACCURACIES = ("all", "around", "error")
"""Of accuracies, all that there are, those around the target, or what is missing to 100 % on a log scale."""
VIEWS = {
    "curves": "Curves",
    "differences": "Differences",
    "judgement": "Verdict",
    "disagreements": "Disagreements",
    "frontier": "Accuracy by parameters",
}
FOCUS = {
    "curves": "#entrants",
    "differences": "#difference-table",
    "judgement": "#judgement",
    "disagreements": "#disagreements-gallery",
    "frontier": "#frontier-chart",
}


class CompareScreen(WorkScreen):
    """Opened above Runs with the ids of runs and groups. The first is what the others are held against."""

    MODE = "compare"
    AUTO_FOCUS = "#entrants"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("next_view", "turn(1)", "Next view", tooltip=", ".join(VIEWS.values())),
        bind("previous_view", "turn(-1)"),
        bind("metric", "metric", "Metric", tooltip="Score, loss, train accuracy, train loss, loss by step"),
        bind("by", "axis", "Axis", tooltip="Over epochs, steps or seconds"),
        bind("accuracies", "accuracies", "Accuracy", tooltip="All, around the target, or errors on a log scale"),
        bind("log_scale", "log_scale", "Log", tooltip="Losses on a log or a linear scale"),
        bind("left", "point(-1)"),
        bind("right", "point(1)"),
        bind("smooth", "smooth", "Smooth", tooltip="Smooth the curves: off, 0.6, 0.9, 0.97"),
        bind("next", "other(1)", "Other pair", tooltip="Another one beside the first"),
        bind("previous", "other(-1)"),
        bind("back", "back", "Back"),
    ]

    def __init__(self, references: Sequence[str]) -> None:
        super().__init__()
        self._references = tuple(references)
        self._entrants: list[Entrant] = []
        self._metric, self._axis = "score", "epoch"
        self._log, self._accuracy, self._smoothing = True, ACCURACIES[0], 0
        self._judged: list[Status] = []
        self._verdict: BackgroundTask[ComparisonReport] | None = None

    # --- Life

    def compose_body(self) -> ComposeResult:
        with Vertical(id="compare", classes="body"):
            yield Line(id="compare-title")
            yield TabLine(VIEWS, id="compare-tabs")
            yield Static(id="compare-notice", markup=False)
            with ContentSwitcher(initial="curves", id="compare-views"):
                with Vertical(id="curves"):
                    yield Overlay(id="overlay", ascii_only=self.lab.ascii_only)
                    yield EntrantTable(id="entrants")
                with Vertical(id="differences"):
                    yield DifferenceTable(id="difference-table")
                with VerticalScroll(id="judgement"):
                    yield Static(id="judgement-words", markup=False)
                yield Disagreements(self.lab.locations, id="disagreements")
                yield FrontierView(self.lab.store, ascii_only=self.lab.ascii_only, id="frontier")

    def on_mount(self) -> None:
        try:
            self._entrants = find_entrants(self.lab.store, self._references)
        except LabError as error:
            self._complain(in_a_sentence(error))
        self.query_one(DifferenceTable).show_entrants(self._entrants, ascii_only=self.lab.ascii_only)
        self.set_interval(LOOK, self._look)
        self._look()

    def on_unmount(self) -> None:
        if self._verdict is not None:
            self._verdict.cancel()

    @property
    def view(self) -> str:
        return self.query_one(TabLine).current

    def _complain(self, words: str) -> None:
        self.query_one("#compare-notice", Static).update(words)
        self.set_class(bool(words), "-trouble")

    def _look(self) -> None:
        """Take in what has come into the logs and what the threads have done."""
        if not self.is_current or not self._entrants:
            return
        for entrant in self._entrants:
            entrant.poll()
        self._complain(what_to_mind(self._entrants))
        names = ", ".join(entrant.title for entrant in self._entrants)
        self.query_one("#compare-title", Line).show(
            Content.assemble(("Compare  ", "$text-muted"), (f"{len(self._entrants)}", "bold"), f"  {names}")
        )
        self.query_one(EntrantTable).show_entrants(self._entrants, ascii_only=self.lab.ascii_only)
        self._show_curves()
        match self.view:
            case "judgement":
                self._show_verdict()
            case "disagreements":
                self.query_one(Disagreements).show(self._entrants)
            case "frontier":
                self.query_one(FrontierView).show(*common_data(self._entrants))
            case _:
                pass
        self.refresh_keys(self.view, len(self._entrants), self._metric)

    # --- Curves

    def _show_curves(self) -> None:
        metric = METRICS[self._metric]
        weight = SMOOTHING[self._smoothing]
        error = metric.accuracy and self._accuracy == "error"
        log = error if metric.accuracy else self._log
        look = (self._metric, self._axis, self._log, self._accuracy, weight)
        key = (look, tuple(entrant.version for entrant in self._entrants))

        def drawn(values: Values) -> Values:
            return np.round(100 - values if error else values, 9) if metric.accuracy else values

        lines = [entrant.curve(metric, self._axis) for entrant in self._entrants]
        curves = []
        for number, line in enumerate(lines):
            ys, band = drawn(line.ys), line.band and (drawn(line.band[0]), drawn(line.band[1]))
            if weight:
                curves.append(Curve(number, line.xs, ys, joined=False, marked=False))
                ys, band = smoothed(ys, weight), band and (smoothed(band[0], weight), smoothed(band[1], weight))
            curves.append(Curve(number, line.xs, ys, band=band))
        target = self._target if metric.accuracy else None
        bounds = around(target or 99.4) if metric.accuracy and self._accuracy == "around" else None
        title = metric.title.replace("Score", "Error").replace("accuracy", "error") if error else metric.title
        title += f", {bounds[0]:g} to {bounds[1]:g}" if bounds else ""
        title += ", log scale" if log else ""
        title += f", smoothed {weight:g} over its points" if weight else ""
        axis = AXES[self._axis]
        if any(line.band for line in lines):
            dots = "dashes" if self.lab.ascii_only else "dots"
            axis = f"{axis}   line: group median, {dots}: quartiles"
        word = {"epoch": "epoch", "step": "step", "time": "after s"}[self._axis]
        self.query_one("#overlay", Overlay).show(
            key,
            curves,
            title=title,
            axis=axis,
            log=log,
            target=round(100 - target, 9) if error and target is not None else target,
            bounds=bounds,
            top=100.0 if metric.accuracy else math.inf,
            readout=Readout(word, dict(enumerate(entrant.label for entrant in self._entrants))),
        )

    @property
    def _target(self) -> float | None:
        """The accuracy that all are to reach, in percent; None where they differ in it."""
        targets = {entrant.config.get("target") for entrant in self._entrants}
        target = targets.pop() if len(targets) == 1 else None
        return float(target) if isinstance(target, int | float) else None

    def action_point(self, by: int) -> None:
        """Move the chart's cursor; the row of the table says of which curve the value is told."""
        self.query_one("#overlay", Overlay).action_step(by)

    @on(EntrantTable.Moved, "#entrants")
    def _choose_curve(self, event: EntrantTable.Moved) -> None:
        self.query_one("#overlay", Overlay).choose(event.row)

    def action_metric(self) -> None:
        names = list(METRICS)
        self._metric = names[(names.index(self._metric) + 1) % len(names)]
        self._look()

    def action_axis(self) -> None:
        names = list(AXES)
        self._axis = names[(names.index(self._axis) + 1) % len(names)]
        self._show_curves()

    def action_log_scale(self) -> None:
        self._log = not self._log
        self._show_curves()

    def action_accuracies(self) -> None:
        self._accuracy = ACCURACIES[(ACCURACIES.index(self._accuracy) + 1) % len(ACCURACIES)]
        self._show_curves()

    def action_smooth(self) -> None:
        self._smoothing = (self._smoothing + 1) % len(SMOOTHING)
        self._show_curves()

    # --- Verdict

    def _show_verdict(self) -> None:
        standing = [follower.status for entrant in self._entrants for follower in entrant.followers]
        if self._verdict is None or standing != self._judged:  # a run that was live has ended since
            if self._verdict is not None:
                self._verdict.cancel()
            self._judged, self._verdict = standing, BackgroundTask("compare", lambda *_: self._judge())
        task, words = self._verdict, self.query_one("#judgement-words", Static)
        if not task.done.is_set():
            words.update("comparing...")
        elif task.result is not None:
            words.update(_verdict_words(task.result))
        else:
            words.update(task.problem())

    def _judge(self) -> ComparisonReport:
        from experiments.results.compare import compare

        return compare(self.lab.store, [entrant.reference for entrant in self._entrants])

    # --- Disagreements

    @on(EntrantTable.Chosen, "#entrants")
    def _choose_pair(self, event: EntrantTable.Chosen) -> None:
        if len(self._entrants) > 1:
            self.query_one(Disagreements).turn_to(max(event.row, 1))
            self.show_view("disagreements")

    def action_other(self, by: int) -> None:
        self.query_one(Disagreements).turn(by)
        self._look()

    # --- Keys

    def show_view(self, name: str) -> None:
        self.query_one(TabLine).current = name
        self.query_one(ContentSwitcher).current = name
        self.set_focus(self.query_one(FOCUS[name]))
        self._look()

    @on(TabLine.Chosen)
    def _tab_clicked(self, event: TabLine.Chosen) -> None:
        self.show_view(event.name)

    def action_turn(self, by: int) -> None:
        self.show_view(self.query_one(TabLine).after(by))

    def action_back(self) -> None:
        """Put the chart's cursor away, then leave."""
        overlay = self.query_one("#overlay", Overlay)
        if self.view == "curves" and overlay.cursor is not None:
            overlay.point(None)
            return
        self.app.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "metric" | "axis" | "smooth" | "point":
                return self.ready and self.view == "curves" and bool(self._entrants)
            case "log_scale" | "accuracies":
                of_accuracy = METRICS[self._metric].accuracy
                shown = self.ready and self.view == "curves" and bool(self._entrants)
                return shown and of_accuracy == (action == "accuracies")
            case "other":
                return self.ready and self.view == "disagreements" and len(self._entrants) > 2
            case _:
                return super().check_action(action, parameters)

    def help_lines(self) -> tuple[str, ...]:
        return (
            "A group's curve is the median of its finished runs, repetitions apart, between quartiles; by step it is",
            "its first run's. The table has means. {left} and {right} read the curve of the current row at a place.",
            "The verdict holds each against the first: groups by Welch's test, single runs image by image.",
            "Disagreements shows the images that two networks take for different classes; {open} on a run picks it.",
        )


def _verdict_words(report: ComparisonReport) -> Content:
    """A note on all comparisons, then a paragraph for each: its verdict, and the notes on what it does not cover."""
    parts = [Content(_sentence(report.note)), Content()] if report.note else []
    for comparison in report.comparisons:
        words = comparison.in_words()  # which begins with a name where one is better
        parts.append(Content.styled(_sentence(words) if comparison.better is None else f"{words}.", "bold"))
        parts += [Content(f"  {_sentence(note)}") for note in comparison.notes]
        parts.append(Content())
    return Content("\n").join(parts)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
