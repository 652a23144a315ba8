"""The three charts of a run and how they are looked at: scale, smoothing, zoom, one alone or all."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from textual.app import ComposeResult
from textual.containers import Horizontal

from tui.follow import Follower
from tui.widgets.chart import SMOOTHING, Chart, Series, smoothed

ZOOMS = (0, 10, 5, 2)
"""So many of the last epochs, 0 for all of them."""
LATER, NEVER = "drawn after the first epoch", "no epoch was finished"
CHARTS = ("loss", "accuracy", "steps")


@dataclass(frozen=True, slots=True)
class Look:
    """How the charts are looked at. `alone` names the one that fills the screen, `steps_first` which of the two
    losses is shown where there is no room for both."""

    log: bool = False
    smoothing: int = 0
    zoom: int = 0
    alone: str = ""
    steps_first: bool = False

    def words(self) -> str:
        weight = SMOOTHING[self.smoothing]
        last = ZOOMS[self.zoom]
        scale = "log scale" if self.log else "linear scale"
        return f"{scale}, smoothing {weight:g}" + (f", last {last} epochs" if last else ", all epochs")


class Curves(Horizontal):
    DEFAULT_CSS = """
    Curves { height: 1fr; }
    Curves > Chart { width: 1fr; height: 1fr; }
    Curves > Chart.-hidden { display: none; }
    """

    def __init__(self, look: Look, *, ascii_only: bool, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._look = look
        self._ascii = ascii_only

    def compose(self) -> ComposeResult:
        yield Chart("Loss", LATER, id="loss", ascii_only=self._ascii)
        yield Chart("Accuracy %", LATER, id="accuracy", ascii_only=self._ascii)
        yield Chart("Loss by step", "drawn from the first steps on", id="steps", ascii_only=self._ascii)

    @property
    def look(self) -> Look:
        return self._look

    def change(self, **changes: object) -> Look:
        self._look = replace(self._look, **changes)  # type: ignore[arg-type]  # the caller names fields of Look
        self._arrange()
        return self._look

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        roomy = self.size.width >= 100
        for name in CHARTS:
            if self._look.alone:
                hidden = name != self._look.alone
            elif name == "accuracy" or roomy:
                hidden = False
            else:
                hidden = (name == "steps") != self._look.steps_first
            self.query_one(f"#{name}").set_class(hidden, "-hidden")

    def show(self, follower: Follower) -> None:
        """Hand each visible chart its series; one whose data are the same does nothing."""
        view, look = follower.view, self._look
        held_out = bool(view.epochs) and view.epochs[-1].test_accuracy is None
        scored = "held out" if held_out else "test"
        first = max(1, len(view.epochs) - ZOOMS[look.zoom] + 1) if ZOOMS[look.zoom] else 1
        epochs = [epoch for epoch in view.epochs if epoch.epoch >= first]
        xs = [float(epoch.epoch) for epoch in epochs]
        over = view.end is not None
        for name in ("loss", "accuracy"):
            self._chart(name).empty = NEVER if over else LATER
        last = epochs[-1].epoch if epochs else 0
        key = (follower.run.id, len(view.epochs), last, over, look.log, look.smoothing, look.zoom)
        losses = [(e.val_loss if held_out else e.test_loss) for e in epochs]
        self._chart("loss").show(
            key,
            (
                self._smooth("train", "train", xs, [e.train_loss for e in epochs]),
                self._smooth(scored, "test", xs, losses),
            ),
            title="Loss, log scale" if look.log else "Loss",
            log=look.log,
        )
        accuracies = [(e.val_accuracy if held_out else e.test_accuracy) for e in epochs]
        target = view.config.get("target")
        target = float(target) if isinstance(target, int | float) else None
        self._chart("accuracy").show(
            key,
            (
                self._smooth("train", "train", xs, [_points(e.train_accuracy, as_error=look.log) for e in epochs]),
                self._smooth(scored, "test", xs, [_points(value, as_error=look.log) for value in accuracies]),
            ),
            title="Error %, log scale" if look.log else "Accuracy %",
            target=100 - target if target is not None and look.log else target,
            log=look.log,
        )
        if not self._chart("steps").has_class("-hidden"):
            self._show_steps(follower, first)

    def _show_steps(self, follower: Follower, first_epoch: int) -> None:
        steps, losses, look = follower.by_step.steps, follower.by_step.losses, self._look
        start = 0
        if first_epoch > 1 and follower.view.started is not None:
            limit = (first_epoch - 1) * follower.view.started.steps_per_epoch
            start = next((index for index, step in enumerate(steps) if step > limit), 0)
        xs, ys = steps[start:], losses[start:]
        key = (follower.run.id, len(steps), steps[-1] if steps else 0, look)
        raw = Series("loss", "raw" if look.smoothing else "train", xs, ys)
        smooth = Series("smoothed", "smooth", xs, smoothed(ys, SMOOTHING[look.smoothing]))
        title = "Loss by step" + (", log scale" if look.log else "")
        self._chart("steps").show(key, (raw, smooth) if look.smoothing else (raw,), title=title, log=look.log)

    def _smooth(self, label: str, kind: str, xs: list[float], values: list[float | None]) -> Series:
        known = [math.nan if value is None else value for value in values]
        return Series(label, kind, xs, smoothed(known, SMOOTHING[self._look.smoothing]))

    def _chart(self, name: str) -> Chart:
        return self.query_one(f"#{name}", Chart)


def _points(accuracy: float | None, *, as_error: bool) -> float | None:
    """An accuracy in percent; on a log scale what is missing to 100, where differences near the top show."""
    if accuracy is None:
        return None
    return 100 * (1 - accuracy) if as_error else 100 * accuracy
