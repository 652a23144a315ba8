"""The three charts of a run and their settings: scale, smoothing, zoom, one alone or all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from textual.app import ComposeResult
from textual.containers import Horizontal

from tui.drawing.series import SMOOTHING, Series, Values, smoothed
from tui.live.follow import Follower
from tui.widgets.charts.chart import Chart

ZOOMS = (0, 10, 5, 2)
"""So many of the last epochs, 0 for all of them."""
LATER, NEVER = "drawn after the first epoch", "no finished epoch yet"
CHARTS = ("loss", "accuracy", "steps")


@dataclass(frozen=True, slots=True)
class Look:
    """The settings of the charts. `alone` names the one that fills the screen, `steps_first` which of the two
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
        self._looked_anew = False

    def compose(self) -> ComposeResult:
        yield Chart("Loss", LATER, id="loss", ascii_only=self._ascii)
        yield Chart("Accuracy %", LATER, id="accuracy", ascii_only=self._ascii)
        yield Chart("Loss by step", "drawn from the first steps on", id="steps", ascii_only=self._ascii)

    @property
    def look(self) -> Look:
        return self._look

    def change(self, **changes: object) -> Look:
        self._look = replace(self._look, **changes)  # type: ignore[arg-type]  # the caller names fields of Look
        self._looked_anew = True
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
        now, self._looked_anew = self._looked_anew, False
        held_out = bool(view.epochs) and view.epochs[-1].test_accuracy is None
        scored = "held out" if held_out else "test"
        first = max(1, len(view.epochs) - ZOOMS[look.zoom] + 1) if ZOOMS[look.zoom] else 1
        epochs = [epoch for epoch in view.epochs if epoch.epoch >= first]
        xs = np.array([epoch.epoch for epoch in epochs], dtype=float)
        over = view.end is not None
        for name in ("loss", "accuracy"):
            self._chart(name).empty = NEVER if over else LATER
        last = epochs[-1].epoch if epochs else 0
        key = (follower.run.id, len(view.epochs), last, over, look.log, look.smoothing, look.zoom)
        losses = [(e.val_loss if held_out else e.test_loss) for e in epochs]
        self._chart("loss").show(
            key,
            lambda: (
                self._smooth("train", "train", xs, [e.train_loss for e in epochs]),
                self._smooth(scored, "test", xs, losses),
            ),
            title="Loss, log scale" if look.log else "Loss",
            log=look.log,
            now=now,
        )
        accuracies = [(e.val_accuracy if held_out else e.test_accuracy) for e in epochs]
        target = view.config.get("target")
        target = float(target) if isinstance(target, int | float) else None
        self._chart("accuracy").show(
            key,
            lambda: (
                self._smooth("train", "train", xs, [_points(e.train_accuracy, as_error=look.log) for e in epochs]),
                self._smooth(scored, "test", xs, [_points(value, as_error=look.log) for value in accuracies]),
            ),
            title="Error %, log scale" if look.log else "Accuracy %",
            target=100 - target if target is not None and look.log else target,
            log=look.log,
            now=now,
        )
        if not self._chart("steps").has_class("-hidden"):
            self._show_steps(follower, first, now=now)

    def _show_steps(self, follower: Follower, first_epoch: int, *, now: bool) -> None:
        by_step, look = follower.by_step, self._look
        key = (follower.run.id, len(by_step.steps), by_step.steps[-1] if by_step.steps else 0, look)

        def series() -> tuple[Series, ...]:
            # Copies: an array that lends out its memory cannot grow.
            steps, losses = np.array(by_step.steps), np.array(by_step.losses)
            if first_epoch > 1 and follower.view.started is not None:
                before = (first_epoch - 1) * follower.view.started.steps_per_epoch
                start = np.searchsorted(steps, before, side="right")
                steps, losses = steps[start:], losses[start:]
            raw = Series("loss", "raw" if look.smoothing else "train", steps, losses)
            smooth = Series("smoothed", "smooth", steps, smoothed(losses, SMOOTHING[look.smoothing]))
            return (raw, smooth) if look.smoothing else (raw,)

        title = "Loss by step" + (", log scale" if look.log else "")
        self._chart("steps").show(key, series, title=title, log=look.log, now=now)

    def _smooth(self, label: str, kind: str, xs: Values, values: list[float | None]) -> Series:
        known = np.array(values, dtype=float)  # None becomes NaN
        return Series(label, kind, xs, smoothed(known, SMOOTHING[self._look.smoothing]))

    def _chart(self, name: str) -> Chart:
        return self.query_one(f"#{name}", Chart)


def _points(accuracy: float | None, *, as_error: bool) -> float | None:
    """An accuracy in percent; on a log scale what is missing to 100, where differences near the top show."""
    if accuracy is None:
        return None
    return 100 * (1 - accuracy) if as_error else 100 * accuracy
