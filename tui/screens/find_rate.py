"""A learning-rate range test above the Lab: the loss over the rate as it goes, and the rate that it suggests."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from core.config import TrainConfig
from core.errors import ShouldStop
from core.events import RunStarted
from core.training.range_curve import RangePoint, RangeTest, suggest
from experiments.execution.apart import find_rate
from experiments.execution.runner import Runner
from experiments.locations import Locations
from tui.drawing.rate_plots import range_plot
from tui.live.task import BackgroundTask, Report
from tui.text.keys import with_keys
from tui.widgets.charts.plot_view import PlotView
from tui.widgets.keys import bind
from tui.widgets.lines.line import Line

LOOK = 0.2
"""Seconds between two looks at how far it is."""
NO_FALL = "The loss did not fall at any rate, so there is nothing to suggest."


class RateSearch(BackgroundTask[float | None]):
    """The test on a thread; `points` and `total`, the steps in all, may be read meanwhile. Its result is the rate."""

    def __init__(self, locations: Locations, config: TrainConfig, test: RangeTest) -> None:
        self.points: list[RangePoint] = []
        self.total = 0
        super().__init__("lr-find", partial(self._search, locations, config, test))

    def _search(
        self, locations: Locations, config: TrainConfig, test: RangeTest, stop: ShouldStop, report: Report
    ) -> float | None:
        report("getting ready", 0.0)
        runner = Runner(locations, stop, lambda name, *_: report(f"downloading {name}", 0.0))
        for step in find_rate(runner, config, test):
            if isinstance(step, RunStarted):
                self.total = test.steps_of(step.steps_per_epoch)
            else:
                self.points.append(step)
        return suggest(self.points)


class FindRate(ModalScreen[float | None]):
    """Dismissed with the rate, or with None for escape: not before the thread has ended, which a run that is started
    meanwhile would have to share torch's random numbers with."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("back", "leave", "Leave"),
        bind("open", "take", "Take it"),
    ]

    def __init__(self, locations: Locations, config: TrainConfig) -> None:
        super().__init__()
        self._locations, self._config = locations, config
        self._test = RangeTest.checked(config)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog rate") as box:
            box.border_title = "Loss while the learning rate rises"
            yield PlotView(id="rate-plot")
            yield Static(id="rate-words", markup=False)
            yield Line(id="rate-keys")

    def on_mount(self) -> None:
        self._search = RateSearch(self._locations, self._config, self._test)
        self.set_interval(LOOK, self._look)
        self._look()

    def on_unmount(self) -> None:
        self._search.cancel()

    def _look(self) -> None:
        search = self._search
        is_over = search.done.is_set()
        if is_over and search.cancelled:
            if self.is_current:
                self.dismiss(None)
            return
        points = search.points[:]
        found = search.result if is_over else None
        ends = (self._test.low, self._test.high)
        if points:
            self.query_one(PlotView).show(
                (len(points), found), lambda plain: range_plot(points, ends, found, ascii_only=plain)
            )
        self.query_one("#rate-words", Static).update(self._words(points))
        taken = "{open} puts it into the field, {back} cancels" if found else "{back} cancels"
        self.query_one("#rate-keys", Line).show("stopping..." if search.cancelled else with_keys(taken))

    def _words(self, points: list[RangePoint]) -> str:
        search = self._search
        if search.done.is_set():
            if search.result is not None:
                return f"Suggested: {search.result:g}, where the fall of the loss ends."
            return search.problem() or NO_FALL
        if not points:
            return f"{search.stage}..."
        last = points[-1]
        return f"Step {last.step:,} of {search.total:,}: learning rate {last.rate:.2g}, loss {last.loss:.3g}"

    async def give_up(self) -> None:
        """Stop the test, wherever one looks, and wait until its thread has ended."""
        self._search.cancel()
        while not self._search.done.is_set():
            await asyncio.sleep(0.02)

    def action_leave(self) -> None:
        self._search.cancel()
        self._look()

    def action_take(self) -> None:
        if self._search.done.is_set() and self._search.result is not None:
            self.dismiss(self._search.result)
