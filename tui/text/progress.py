"""A run's events as the lines that people know from the exercise."""

from __future__ import annotations

import sys
from typing import TextIO

from core.events import EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped, StepProgress
from core.views import views_in_words
from experiments.runs.eventlog import Entry
from experiments.runs.view import RunView, reduce
from tui.text.output import complain, counted, duration, loss_in_digits, note, percent, say, write

GUESSING = 0.1135
"""The accuracy on MNIST of a network that takes everything for a 1, its commonest digit. Elsewhere it is 10%, and of so
many classes the share of one, which is not always the same."""


def meter(view: RunView, width: int | None = None) -> str:
    """tqdm's progress line for the epoch under way; empty before its first step.

    Elapsed time comes from the event's own rate, so a line read from a log shows what the training process saw.
    """
    started, progress = view.started, view.progress
    if started is None or progress is None:
        return ""
    images = min(progress.step * started.config["batch_size"], started.train_images)
    loss = "nan" if progress.loss is None else loss_in_digits(progress.loss)
    from tqdm import tqdm  # only where there is something to draw

    line: str = tqdm.format_meter(
        progress.step,
        progress.steps_per_epoch,
        images / progress.images_per_second if progress.images_per_second else 0.0,
        ncols=width,
        prefix=f"epoch {progress.epoch}/{started.config['epochs']} loss={loss}",
    )
    return line


def epoch_line(view: RunView, event: EpochFinished) -> str:
    """The score of an epoch in the reference's words."""
    if event.test_accuracy is not None:
        return (
            f"Test set: Average loss: {loss_in_digits(event.test_loss)}, "
            f"Accuracy: {event.test_correct}/{event.test_total} ({percent(event.test_accuracy)})"
        )
    total = view.started.val_images if view.started else 0
    correct = round((event.val_accuracy or 0) * total)
    return (
        f"Validation set: Average loss: {loss_in_digits(event.val_loss)}, "
        f"Accuracy: {correct}/{total} ({percent(event.val_accuracy)})"
    )


def epoch_readout(epoch: EpochFinished, kept: str = "") -> str:
    """An epoch's numbers in a line, accuracies in percent; `kept` says which of its weights there are."""
    parts = [f"train {100 * epoch.train_accuracy:.2f}"]
    if epoch.test_accuracy is not None:
        parts.append(f"test {100 * epoch.test_accuracy:.2f} ({epoch.test_correct:,})")
    if epoch.val_accuracy is not None:
        parts.append(f"held out {100 * epoch.val_accuracy:.2f}")
    loss = epoch.val_loss if epoch.test_accuracy is None else epoch.test_loss
    parts += [f"loss {loss_in_digits(loss)}", f"lr {epoch.lr:.4g}"]
    return f"epoch {epoch.epoch}{f' ({kept})' if kept else ''}: {', '.join(parts)}"


def last_line(view: RunView, run_id: str, folder: object) -> str:
    """The result of a run, in a line. Its seed tells it from the others of its group."""
    done = counted(len(view.epochs), "epoch")
    match view.end:
        case RunFinished() as end:
            target = f"{view.config.get('target', 0):g}%"
            reached = f"epoch {end.first_epoch_at_target}" if end.first_epoch_at_target else "never"
            if end.best_test_accuracy is None:
                chosen = f"epoch {end.selected_epoch}, chosen on held-out images"
                best = f"selected {percent(end.selected_test_accuracy)} ({chosen})"
            else:
                best = f"best {percent(end.best_test_accuracy)} (epoch {end.best_epoch}, optimistic)"
            final = percent(end.final_test_accuracy)
            classes = len(view.started.classes) if view.started is not None else 10
            if end.final_test_accuracy <= GUESSING * 10 / classes + 1e-9:
                final += " (no better than guessing)"
            why = f" {words}" if (words := why_ended(view)) else ""
            reached = f"{target} first reached: {reached}{with_views(view, end)}"
            what = f"finished{why}: final {final}, {best}, {reached}"
        case RunStopped(reason=reason):
            what = f"stopped ({reason}) after {done}: best {percent(view.best_test_accuracy)}"
        case RunFailed(epoch=epoch):
            what = f"failed in epoch {epoch} after {done}: best {percent(view.best_test_accuracy)}"
        case None:
            what = f"without an end after {done}: best {percent(view.best_test_accuracy)}"
    seed = f" (seed {view.config['seed']})" if "seed" in view.config else ""
    return f"run {run_id}{seed} {what}, {duration(view.seconds)}, {folder}"


def with_views(view: RunView, end: RunFinished) -> str:
    """The score with test-time augmentation, apart from the others; empty without one."""
    if end.tta_test_accuracy is None:
        return ""
    return f"; {views_in_words(str(view.config.get('tta', '')), end.tta_test_accuracy)}"


def why_ended(view: RunView) -> str:
    """Why a run finished before all of its epochs, in words; empty where it did not."""
    if not isinstance(view.end, RunFinished):
        return ""
    match view.end.ended_by:
        case "stop_at_target":
            return "early, at its target"
        case "early_stop":
            scored = "test" if view.end.best_test_accuracy is not None else "held-out"
            waited = view.end.epochs - view.best_epoch
            last = f"last {waited} epochs" if waited > 1 else "last epoch"
            return f"early, as its {last} had no better {scored} accuracy"
        case _:
            return ""


class TextReport:
    """Prints a run as it goes: the progress line on stderr, redrawn in place on a terminal, results on stdout."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None, view: RunView | None = None) -> None:
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._drawn = False
        self.view = view or RunView()

    def show(self, entry: Entry) -> None:
        """Take in one event."""
        self.view = reduce(self.view, entry)
        if isinstance(entry.event, RunFailed):
            self._leave_line()
            complain(entry.event.error, entry.event.advice)
        if self._quiet:
            return
        match entry.event:
            case RunStarted() as event:
                network = f"{event.config['arch']} ({event.total_params:,} parameters)"
                images = f"{event.train_images:,} training images"
                note(f"run {entry.run_id}: {network} on {event.dataset}, {images}, {event.device}")
            case StepProgress(step=step, steps_per_epoch=steps):
                self._draw(last=step == steps)
            case EpochFinished() as event:
                self._leave_line()
                say(epoch_line(self.view, event))
            case RunStopped():
                self._leave_line()
            case _:
                pass

    def _draw(self, *, last: bool) -> None:
        if self._stream.isatty():
            write(self._stream, f"\r\x1b[K{meter(self.view)}")
            self._drawn = True
        elif last:  # not on a terminal: one line an epoch
            write(self._stream, f"{meter(self.view)}\n")

    def _leave_line(self) -> None:
        if self._drawn:
            write(self._stream, "\n")
        self._drawn = False
