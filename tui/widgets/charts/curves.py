"""The three charts of a run or of its group's seeds, and their settings: scale, smoothing, zoom, one alone or all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from textual.app import ComposeResult
from textual.containers import Horizontal

from core.events import EpochFinished
from experiments.reports.scale import around
from experiments.results.groups import accuracy, scored_loss
from tui.drawing.series import SMOOTHING, Series, Values, smoothed
from tui.live.follow import Follower
from tui.widgets.charts.chart import Chart
from tui.widgets.charts.diagram import Diagram
from tui.widgets.charts.overlay import MARKERS, Overlay, Readout
from tui.widgets.charts.seed_curves import MEAN, Value, counted, number_of, seed_curves

ZOOMS = (0, 10, 5, 2)
"""So many of the last epochs, 0 for all of them."""
LATER, NEVER = "drawn after the first epoch", "no finished epoch yet"
CHARTS = ("loss", "accuracy", "steps")
TOGETHER = {"loss": "seeds-loss", "accuracy": "seeds-accuracy"}
"""The charts that have all seeds of a group in the place of a run's own."""
ACCURACIES = ("scored", "all", "around", "error")
"""What the chart of accuracies shows: the scored images and the target, training images too, the values where it is
decided whether the target is reached, or what is missing to 100 %, on a log scale."""


@dataclass(frozen=True, slots=True)
class Look:
    """The settings of the charts: `log` that of the losses, `accuracy` one of `ACCURACIES`. `alone` names the one that
    fills the screen, `steps_first` which of the two losses is shown where there is no room for both. `together` is
    whether the seeds of a group are shown in one chart."""

    log: bool = True
    accuracy: str = ACCURACIES[0]
    smoothing: int = 0
    zoom: int = 0
    alone: str = ""
    steps_first: bool = False
    together: bool = True

    @property
    def weight(self) -> float:
        return SMOOTHING[self.smoothing]

    def title(self, words: str, first: int, last: int) -> str:
        """A chart's title, with the epochs that it is cut to."""
        return words + (f", epochs {first}-{last}" if ZOOMS[self.zoom] and first < last else "")

    @property
    def note(self) -> str:
        """What the legend says of all curves."""
        return f"smoothed {self.weight:g}" if self.smoothing else ""


class Curves(Horizontal):
    DEFAULT_CSS = """
    Curves { height: 1fr; }
    Curves > Diagram { width: 1fr; height: 1fr; }
    Curves > Diagram.-hidden { display: none; }
    """

    def __init__(self, *, ascii_only: bool, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._look = Look()
        self._ascii = ascii_only
        self._looked_anew = False
        self._shown = ""
        self._epochs: Values = np.array([])
        self._steps_per_epoch = 1
        self.epoch: int | None = None
        self.together = False
        self._chosen = ""

    def compose(self) -> ComposeResult:
        yield Overlay(id="seeds-loss", ascii_only=self._ascii)
        yield Overlay(id="seeds-accuracy", ascii_only=self._ascii)
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
            together = self.together and name in TOGETHER
            self._chart(name).set_class(hidden or together, "-hidden")
            if name in TOGETHER:
                self._overlay(name).set_class(hidden or not together, "-hidden")

    # --- The cursor

    def step(self, by: int) -> None:
        """Move the cursor by so many of the epochs that are shown."""
        (self._overlay if self.together else self._chart)("accuracy").action_step(by)

    def point(self, epoch: int | None) -> None:
        """Mark an epoch in every chart, or none."""
        self.epoch = epoch
        for chart in self.query(Diagram):
            chart.point(epoch if epoch is None or chart.id != "steps" else epoch * self._steps_per_epoch)

    def epoch_at(self, chart: Diagram, x: float) -> int:
        """The epoch of a place of one of the charts."""
        return round(x / self._steps_per_epoch) if chart.id == "steps" else round(x)

    # --- What is shown

    def show(self, follower: Follower, seeds: Sequence[Follower] = ()) -> None:
        """Hand each visible chart its series; one whose data are the same does nothing. A run that is not one of those
        seeds that were shown before begins with the settings of the start. `seeds` are those of its group."""
        subject = follower.meta.group_id or follower.run.id
        if subject != self._shown:
            if self._shown:
                self.change(**{name: getattr(Look(), name) for name in ("log", "accuracy", "smoothing", "zoom")})
            self._shown = subject
        if (together := self._look.together and len(seeds) > 1) != self.together:
            self.together = together
            self._arrange()
        now, self._looked_anew = self._looked_anew, False
        view, zoom = follower.view, ZOOMS[self._look.zoom]
        self._steps_per_epoch = view.started.steps_per_epoch if view.started is not None else 1
        self._epochs = np.array([epoch.epoch for epoch in view.epochs], dtype=float)
        last = view.epochs[-1].epoch if view.epochs else 0
        first = max(1, len(view.epochs) - zoom + 1) if zoom else 1
        for name in ("loss", "accuracy"):
            self._chart(name).empty = NEVER if view.end is not None else LATER
        key = (follower.run.id, len(view.epochs), last, view.end is not None, self._look)
        if together:
            self._show_seeds(follower, seeds)
        else:
            self._show_losses(follower, key, first, last, now=now)
            self._show_accuracies(follower, key, first, last, now=now)
        if not self._chart("steps").has_class("-hidden"):
            self._show_steps(follower, first, last, now=now)

    def _show_losses(self, follower: Follower, key: object, first: int, last: int, *, now: bool) -> None:
        epochs, look, scored = follower.view.epochs, self._look, _scored(follower)
        values = [(e.val_loss if scored == "held out" else e.test_loss) for e in epochs]
        self._chart("loss").show(
            key,
            lambda: [*self._lines("train", [e.train_loss for e in epochs], first), *self._lines(scored, values, first)],
            title=look.title("Loss, log scale" if look.log else "Loss, linear", first, last),
            log=look.log,
            note=look.note,
            now=now,
        )

    def _show_accuracies(self, follower: Follower, key: object, first: int, last: int, *, now: bool) -> None:
        epochs, look, scored = follower.view.epochs, self._look, _scored(follower)
        error = look.accuracy == "error"
        target, bounds = _aims(follower, look)

        def series() -> list[Series]:
            values = [_points(e.val_accuracy if scored == "held out" else e.test_accuracy, error=error) for e in epochs]
            train = [_points(e.train_accuracy, error=error) for e in epochs]
            shown = self._lines("train", train, first) if look.accuracy in ("all", "around") else []
            return [*shown, *self._lines(scored, values, first)]

        words = {
            "scored": f"Accuracy %, {scored}",
            "all": f"Accuracy %, train, {scored}",
            "around": "Accuracy %, {:g} to {:g}".format(*(bounds or (0, 100))),
            "error": f"Error %, {scored}, log scale",
        }[look.accuracy]
        self._chart("accuracy").show(
            key,
            series,
            title=look.title(words, first, last),
            target=target,
            log=error,
            bounds=bounds,
            top=100.0,
            note=look.note,
            now=now,
        )

    def _show_steps(self, follower: Follower, first: int, last: int, *, now: bool) -> None:
        by_step, look = follower.by_step, self._look
        key = (follower.run.id, len(by_step.steps), by_step.steps[-1] if by_step.steps else 0, look, last)
        size = self._steps_per_epoch

        def series() -> list[Series]:
            # Copies: an array that lends out its memory cannot grow.
            steps, losses = np.array(by_step.steps), np.array(by_step.losses)
            start = int(np.searchsorted(steps, (first - 1) * size, side="right")) if first > 1 else 0
            if not look.smoothing:
                return [Series("train loss", "line", steps[start:], losses[start:])]
            smooth = smoothed(losses, look.weight)[start:]
            raw = Series("", "line", steps[start:], losses[start:], joined=False)
            return [raw, Series("train loss", "line", steps[start:], smooth)]

        self._chart("steps").show(
            key,
            series,
            title=look.title("Loss by step, log scale" if look.log else "Loss by step, linear", first, last),
            log=look.log,
            stops=self._epochs[first - 1 :] * size,
            note=look.note,
            now=now,
        )

    def _show_seeds(self, follower: Follower, seeds: Sequence[Follower]) -> None:
        """All seeds of the group by epoch, with their mean and its band, in the charts of loss and accuracy."""
        look, scored, shown = self._look, _scored(follower), follower.run.id
        error = look.accuracy == "error"
        latest = max((seed.view.epochs[-1].epoch for seed in seeds if seed.view.epochs), default=0)
        first = max(1, latest - ZOOMS[look.zoom] + 1) if look.zoom else 1
        target, bounds = _aims(follower, look)
        names = {number_of(place): f"seed {seed.config.get('seed', '-')}" for place, seed in enumerate(seeds)}
        mean, dots, signs = len(counted(seeds)), "dashes" if self._ascii else "dots", MARKERS[self._ascii]
        at = next((number_of(place) for place, seed in enumerate(seeds) if seed.run.id == shown), None)
        notes = [f"{signs[MEAN]} mean of {mean}, {dots}: one sd"] * (mean > 1)
        if at is not None:
            notes.append(f"{signs[at % len(signs)]} {names[at]}")
        notes += [look.note] * bool(look.note)

        def score(event: EpochFinished) -> float | None:
            return _points(accuracy(event), error=error)

        def show(name: str, value: Value, title: str, **axes: Any) -> None:
            overlay = self._overlay(name)
            overlay.empty = LATER
            overlay.show(
                (shown, look, scored, *((seed.run.id, len(seed.view.epochs), seed.status) for seed in seeds)),
                seed_curves(seeds, shown, value, look.weight, first),
                title=look.title(f"{title}, {len(seeds)} seeds", first, latest),
                axis="  ".join(notes),
                readout=Readout("epoch", {MEAN: "mean", **names}),
                **axes,
            )
            if shown != self._chosen:
                overlay.choose(MEAN if at is None else at)

        show("loss", scored_loss, f"Loss, {scored}{', log scale' * look.log}", log=look.log)
        words = f"Error %, {scored}, log scale" if error else f"Accuracy %, {scored}"
        words += ", {:g} to {:g}".format(*bounds) if bounds else ""
        show("accuracy", score, words, log=error, target=target, bounds=bounds, top=100.0)
        self._chosen = shown

    def _lines(self, kind: str, values: list[float | None], first: int) -> list[Series]:
        """A curve by epoch from the first that is shown; where it is smoothed, over its points. What was before has its
        share in the mean all the same."""
        look, xs, known = self._look, self._epochs, np.array(values, dtype=float)  # None becomes NaN
        shown = xs >= first
        if not look.smoothing:
            return [Series(kind, kind, xs[shown], known[shown])]
        smooth = smoothed(known, look.weight)[shown]
        points = Series("", kind, xs[shown], known[shown], joined=False)
        return [points, Series(kind, kind, xs[shown], smooth, marked=False)]

    def _chart(self, name: str) -> Chart:
        return self.query_one(f"#{name}", Chart)

    def _overlay(self, name: str) -> Overlay:
        return self.query_one(f"#{TOGETHER[name]}", Overlay)


def _scored(follower: Follower) -> str:
    """What the network is scored on, the kind of its series."""
    epochs = follower.view.epochs
    return "held out" if epochs and epochs[-1].test_accuracy is None else "test"


def _points(accuracy: float | None, *, error: bool) -> float | None:
    """An accuracy in percent, or what is missing to 100; rounded, so that one that equals the target is equal to it."""
    if accuracy is None:
        return None
    return round(100 * (1 - accuracy), 9) if error else round(100 * accuracy, 9)


def _aims(follower: Follower, look: Look) -> tuple[float | None, tuple[float, float] | None]:
    """The target in percent, of accuracy or error, and the range of the axis where it is one around it."""
    target = follower.view.config.get("target")
    target = float(target) if isinstance(target, int | float) else None
    bounds = around(target if target is not None else 99.4) if look.accuracy == "around" else None
    return (round(100 - target, 9) if target is not None and look.accuracy == "error" else target), bounds
