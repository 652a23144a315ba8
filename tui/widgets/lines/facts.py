"""The facts of a run so far: its scores, how it goes, the size of its network, and the load of the machine."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from core.history import EARLY_ACCURACY, EARLY_EPOCHS
from experiments.results.diagnosis import diagnose
from experiments.runs.view import RunView
from tui.text.output import percent
from tui.text.wording import budget_in_words

INDENT = 7
EARLY, BY_THEN = "After", f"epoch {EARLY_EPOCHS}"


class Fact(NamedTuple):
    """Words with a name before them, and a style or nothing; `short` is said where the words do not fit into a line."""

    name: str
    words: str
    style: str = ""
    short: str = ""


MEANINGS = (
    ("Best", "the highest accuracy over the epochs; on the test set it is optimistic, as it was chosen by it"),
    ("Target", "the accuracy that the run is for, and the first epoch that had it"),
    (
        EARLY,
        f"{BY_THEN}: whether one of the first {EARLY_EPOCHS} epochs is above {percent(EARLY_ACCURACY)}: a network that "
        "is may reach 99.4 %",
    ),
    ("Trend", "how the run goes, by the rules below"),
    ("Device", "the load of the GPU, or else of this program and the processes that it has started; 100% is one core"),
    ("Params", "the network's parameters, and what the budget has left"),
)
"""What each fact is, for a help."""


class Facts(Widget):
    DEFAULT_CSS = "Facts { height: auto; padding: 0 0 0 1; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._facts: tuple[Fact, ...] = ()

    def show(self, facts: Sequence[Fact]) -> None:
        if tuple(facts) == self._facts:
            return
        self._facts = tuple(facts)
        # Laying out a screen costs a hundred times what painting this does, and the device's load changes all the time.
        width, height = self.content_size
        self.refresh(layout=width == 0 or len(self._lines(width)) != height)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002  # Textual's
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.content_size.width))

    def _lines(self, width: int) -> list[Content]:
        lines: list[Content] = []
        room = max(width - INDENT, 10)
        for name, words, style, short in self._facts:
            for number, line in enumerate(textwrap.wrap(short if short and len(words) > room else words, room)):
                head = ("" if number else name).ljust(INDENT)
                lines.append(Content.assemble((head, "$text-muted"), (line, style)))
        return lines


def facts_of(view: RunView, config: Mapping[str, Any], device_use: str) -> tuple[Fact, ...]:
    """The facts of a run. `config` is the run's also before its log says it."""
    return (
        best(view),
        target(view, config),
        early(view),
        trend(view),
        Fact("Device", device_use or "-"),
        params(view, config),
    )


def best(view: RunView) -> Fact:
    if not view.accuracies:
        return Fact("Best", "after the first epoch" if view.end is None else "no finished epoch yet")
    what = "optimistic" if view.best_test_accuracy is not None else "held out"
    return Fact("Best", f"{percent(max(view.accuracies.values()))} epoch {view.best_epoch}, {what}", "bold")


def target(view: RunView, config: Mapping[str, Any]) -> Fact:
    value = config.get("target")
    if not isinstance(value, int | float):
        return Fact("Target", "-")
    if epoch := view.first_epoch_at_target:
        return Fact("Target", f"{value:g}% in epoch {epoch}", "$text-success")
    if not view.accuracies:
        return Fact("Target", f"{value:g}%")
    return Fact("Target", f"{value:g}%, {value - 100 * max(view.accuracies.values()):.2f} points off")


def early(view: RunView) -> Fact:
    """The verdict on the first epochs: has the run scope to reach 99.4 %? It can be good at any of them, and bad only
    after the last."""
    limit = percent(EARLY_ACCURACY)
    top = max((accuracy for epoch, accuracy in view.accuracies.items() if epoch <= EARLY_EPOCHS), default=0.0)
    if view.early_signal:
        return Fact(EARLY, f"{BY_THEN}: {percent(top)}, good", "$text-success")
    if EARLY_EPOCHS in view.accuracies:
        return Fact(EARLY, f"{BY_THEN}: {percent(top)}, too low", "$text-warning")
    if view.end is None:
        return Fact(EARLY, f"{BY_THEN}: above {limit}?")
    return Fact(EARLY, f"{BY_THEN}: no verdict")


def trend(view: RunView) -> Fact:
    found = diagnose(view)
    return Fact("Trend", found.trend_words, "$text-warning" if found.is_bad else "")


def params(view: RunView, config: Mapping[str, Any]) -> Fact:
    """The network's size, which is known from its start on."""
    if view.started is None:
        return Fact("Params", "counted at the start" if view.end is None else "-")
    total, budget = view.started.total_params, config.get("max_params") if config.get("budget") else None
    short = f"{total:,}, {budget - total:,} left" if budget is not None and budget >= total else ""
    return Fact("Params", budget_in_words(total, budget).replace(" parameters", ""), short=short)
