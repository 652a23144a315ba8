"""The facts of a run so far: the best score, the target, the early signal, and the load of the machine."""

from __future__ import annotations

import textwrap

from textual import events
from textual.content import Content
from textual.widgets import Static

from core.history import EARLY_ACCURACY, EARLY_EPOCHS
from experiments.runs.view import RunView
from tui.text.output import percent

INDENT = 7
Fact = tuple[str, str, str]
"""Name, words, and a style or nothing."""


class Facts(Static):
    DEFAULT_CSS = "Facts { padding: 0 1; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self._facts: tuple[Fact, ...] = ()

    def show(self, view: RunView, device_use: str) -> None:
        facts = (best(view), target(view), early(view), ("Device", device_use or "-", ""))
        if facts != self._facts:
            self._facts = facts
            self._lay_out(self.content_size.width)

    def on_resize(self, _event: events.Resize) -> None:
        self._lay_out(self.content_size.width)
        self.call_after_refresh(self.refresh, layout=True)  # a layout that is asked for amid the first one is not made

    def _lay_out(self, width: int) -> None:
        if width <= 0:  # before the first layout: words wrapped for no width would make it high, and keep it so
            return
        lines: list[Content] = []
        for name, words, style in self._facts:
            for number, line in enumerate(textwrap.wrap(words, max(width - INDENT, 10))):
                head = ("" if number else name).ljust(INDENT)
                lines.append(Content.assemble((head, "$text-muted"), (line, style)))
        # Laying out a screen costs a hundred times what painting this does, and the device's load changes all the time.
        self.update(Content("\n").join(lines), layout=len(lines) != self.content_size.height)


def best(view: RunView) -> Fact:
    if not view.accuracies:
        return ("Best", "after the first epoch" if view.end is None else "no finished epoch yet", "")
    on_test = view.best_test_accuracy is not None
    what = "test, optimistic" if on_test else "held-out images"
    return ("Best", f"{percent(max(view.accuracies.values()))} in epoch {view.best_epoch} ({what})", "bold")


def target(view: RunView) -> Fact:
    value = view.config.get("target")
    if not isinstance(value, int | float):
        return ("Target", "-", "")
    if epoch := view.first_epoch_at_target:
        return ("Target", f"{value:g}% in epoch {epoch}", "$text-success")
    if not view.accuracies:
        return ("Target", f"{value:g}%", "")
    return ("Target", f"{value:g}%, {value - 100 * max(view.accuracies.values()):.2f} points off", "")


def early(view: RunView) -> Fact:
    """The verdict after the third epoch: has the run scope to reach 99.4 %?"""
    limit = percent(EARLY_ACCURACY)
    if EARLY_EPOCHS not in view.accuracies and view.end is None:
        return ("Early", f"after epoch {EARLY_EPOCHS}: above {limit}?", "")
    if view.early_signal is None:
        return ("Early", "no verdict: no finished epoch", "")
    top = percent(max(accuracy for epoch, accuracy in view.accuracies.items() if epoch <= EARLY_EPOCHS))
    if view.early_signal:
        return ("Early", f"{top} above {limit}: good", "$text-success")
    return ("Early", f"{top} not above {limit}", "$text-warning")
