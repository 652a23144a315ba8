"""The parameters of a sweep against value, above its screen: one after the other, and all at once."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from experiments.studies.view import StudyView
from tui.text.keys import with_keys
from tui.text.study_report import choices
from tui.text.study_words import VALUES
from tui.widgets.charts.overlay import MARKERS, Overlay, together
from tui.widgets.charts.parameter_curves import (
    BEST,
    OTHER,
    parallel_curves,
    parallel_labels,
    slice_curves,
    slice_labels,
    slice_words,
)
from tui.widgets.keys import bind


class Parameters(ModalScreen[None]):
    """As the study stood when it was opened; the best quarter of the trials has a marker and a colour of its own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("next_view", "turn(1)", "Next parameter"),
        bind("previous_view", "turn(-1)"),
        bind("back", "dismiss", "Close"),
    ]

    def __init__(self, view: StudyView, *, ascii_only: bool) -> None:
        super().__init__()
        self._view, self._ascii_only = view, ascii_only
        self._at = 0

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog digits") as box:
            box.border_title = Content(f"Parameters of {self._view.name}")
            box.border_subtitle = with_keys("{next_view} turns, {back} closes")
            yield Overlay(id="parameter", ascii_only=self._ascii_only)

    def on_mount(self) -> None:
        self.action_turn(0)

    def action_turn(self, by: int) -> None:
        """To the next parameter; behind the last are all of them at once."""
        view, dimensions, signs = self._view, self._view.plan.space.dimensions, MARKERS[self._ascii_only]
        self._at = (self._at + by) % (len(dimensions) + 1)
        overlay = self.query_one("#parameter", Overlay)
        if self._at == len(dimensions):
            title = "All parameters, % of each range: the best quarter marked, on top of the others"
            axis = f"{signs[BEST]} best quarter  the rest unmarked"
            overlay.show(self._at, parallel_curves(view), title=title, axis=axis, named=parallel_labels(view))
            return
        dimension = dimensions[self._at]
        curves = slice_curves(view, dimension)
        bounds, below = together(curves)
        axis = f"{slice_words(dimension)}  {signs[BEST]} best quarter  {signs[OTHER]} others{below}"
        word = choices(view.plan.space).get(dimension.field, "")  # where in a template it is
        name = f"{dimension.field}, {word}" if word else dimension.field
        what = f"Accuracy % on {VALUES[view.plan.scored_on]} images, by {name}"
        named = slice_labels(dimension)
        overlay.show(self._at, curves, title=what, axis=axis, bounds=bounds, top=100.0, named=named)
