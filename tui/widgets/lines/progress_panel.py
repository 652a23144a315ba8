"""Progress: the line that people know from the exercise, for the epoch, and one for the whole run."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from core.events import RunFinished
from experiments.runs.row import Status
from experiments.runs.view import RunView
from tui.live.follow import READING
from tui.text.output import duration
from tui.text.progress import meter, why_ended
from tui.widgets.lines.line import Line


class ProgressPanel(Vertical):
    DEFAULT_CSS = "ProgressPanel { height: 2; padding: 0 1; }"

    _shown: tuple[RunView, str, str] | None = None

    def compose(self) -> ComposeResult:
        yield Line(id="epoch-progress")
        yield Line(id="run-progress")

    def show(self, view: RunView, status: str, waiting_for: str = "") -> None:
        """`waiting_for` says what comes before the first step."""
        self._shown = (view, status, waiting_for)
        width = self.content_size.width
        if width == 0:
            return  # before it is laid out
        line = waiting_for if view.progress is None else meter(view, width)
        self.query_one("#epoch-progress", Line).show(line)
        self.query_one("#run-progress", Line).show(overall(view, status, width))

    def show_stage(self, words: str) -> None:
        """Show the work before there is a run."""
        self._shown = None
        self.query_one("#epoch-progress", Line).show(words)
        self.query_one("#run-progress", Line).show("")

    def on_resize(self) -> None:
        """Lines fill the width, and a run that has ended says nothing more that would have them shown again."""
        if self._shown is not None:
            self.show(*self._shown)


def overall(view: RunView, status: str, width: int) -> str:
    """``run 12%|██        | 2m 05s left, 12,345 images/s``."""
    done = fraction_done(view)
    if done is None:
        return ""
    speed = f", {view.progress.images_per_second:,.0f} images/s" if view.progress else ""
    if status == Status.RUNNING:
        left = seconds_left(view)
        at_most = "at most " * bool(view.config.get("early_stop") or view.config.get("stop_at_target"))
        words = (f"{at_most}{duration(left)} left" if left is not None else "time left not known yet") + speed
    elif status == READING:
        words = "reading its log"
    else:
        early = " early" * bool(why_ended(view))
        words = f"{status}{early} after {duration(view.seconds)}"
    bar_width = max(8, min(40, width - len(words) - 17))
    filled = round(done * bar_width)
    return f"whole run {done:4.0%}|{'█' * filled}{' ' * (bar_width - filled)}| {words}"


def fraction_done(view: RunView) -> float | None:
    """The share of all epochs that is done, all of it when the run has finished; None while it cannot be told."""
    epochs = view.config.get("epochs")
    if view.started is None or not isinstance(epochs, int) or epochs < 1:
        return None
    if isinstance(view.end, RunFinished):
        return 1.0
    finished = view.epochs_done
    part = 0.0
    if view.progress is not None and view.progress.epoch > finished:
        part = view.progress.step / max(view.progress.steps_per_epoch, 1)
    return min(1.0, (finished + part) / epochs)


def seconds_left(view: RunView) -> float | None:
    """The time left at the pace of the last epochs, in the first one at that of training alone; None before any."""
    done, epochs = fraction_done(view), view.config.get("epochs")
    if done is None or not isinstance(epochs, int):
        return None
    if recent := view.epochs[-3:]:
        each = sum(epoch.seconds for epoch in recent) / len(recent)
    elif view.started is not None and view.progress is not None and view.progress.images_per_second > 0:
        each = view.started.train_images / view.progress.images_per_second
    else:
        return None
    return (1 - done) * epochs * each
