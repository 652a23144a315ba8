"""What in a log follows from other things in it: its order, and the numbers of its start, epochs and end.

`docs/guarantees.md` has the table of what is checked, and of what is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple

from core.config import TrainConfig
from core.dataset_names import is_own
from core.errors import shown
from core.events import CheckpointSaved, EpochFinished, RunFailed, RunFinished, RunStarted, RunStopped, StepProgress
from core.history import End, EndedBy, end_of
from core.models.spec import is_user_module
from core.task import DIGITS, MNIST_TASK, ImageTask
from experiments.runs.eventlog import Entry
from experiments.runs.view import RunView
from experiments.verification.findings import Check, compare, missing, summed_up

LOG = "events.jsonl"
ROUNDING = 1e-6
"""The share by which two times that are taken one after the other may lie the wrong way round."""
_NAME = 40
_CONSTANT = (
    *("spec", "total_params", "dataset", "train_images", "val_images", "test_images", "steps_per_epoch"),
    *("teacher", "image_size", "classes"),
)
"""What every start of one run says alike."""
_UP_TO: Mapping[EndedBy, str] = {
    "epochs": "of the config",
    "stop_at_target": "up to the target",
    "early_stop": "up to the last one without a better accuracy",
}


class EventOrder:
    """Watches the events of a log as they come, and remembers the first that can follow none of those before it."""

    def __init__(self) -> None:
        self.problem = ""
        self._first: RunStarted | None = None
        self._lives = self._finished = False
        self._epoch = self._last = 0  # finished in this life of the run; in all

    def take(self, entry: Entry) -> None:
        """Take in the next entry."""
        if not self.problem and (reason := self._reason(entry)):
            self.problem = f"{entry.event.NAME} at {entry.time}: {reason}"

    def _reason(self, entry: Entry) -> str:
        match entry.event:
            case RunStarted() as event:
                first = self._first = self._first or event
                self._lives, self._finished, self._epoch = True, False, 0
                own = is_user_module(str(first.config.get("arch", "")))  # whose spec is the path, as it was written
                constant = _CONSTANT[1:] if own else _CONSTANT
                differing = [name for name in constant if getattr(event, name) != getattr(first, name)]
                return f"another {differing[0]} than at the first start" if differing else ""
            case RunStopped() | RunFailed() if not self._finished:  # also of a run that could not go on
                self._lives = False
                return ""
            case _ if not self._lives or self._first is None:
                return "no start before it"
            case EpochFinished(epoch=epoch):
                expected = self._epoch + 1 if self._epoch else min(epoch, self._last + 1)
                self._epoch = self._last = epoch
                return f"epoch {epoch} follows {expected - 1}" if epoch != expected else ""
            case StepProgress() as event:
                return _bounds(event.epoch, self._last + 1, event.step, self._first.steps_per_epoch)
            case CheckpointSaved() as event:
                return _bounds(event.epoch, self._last + 1, event.step, self._first.steps_per_epoch)
            case RunFinished() | RunStopped() | RunFailed():
                self._lives, self._finished = False, True
                return ""


def _bounds(epoch: int, last_epoch: int, step: int, last_step: int) -> str:
    if not 0 <= epoch <= last_epoch or not 0 <= step <= last_step:
        return f"step {step} of epoch {epoch}, where there are {last_step} steps and {last_epoch - 1} epochs are done"
    return ""


def check_start(started: RunStarted, config: TrainConfig) -> Iterator[Check]:
    """Check the counts of a start, and its device, against its config."""
    where = f"{LOG}, run_started"
    steps = math.ceil(started.train_images / config.batch_size)
    device = started.device.partition(" ")[0]
    is_same = config.device in ("auto", device, device.partition(":")[0])
    checks = [
        compare(f"steps for batches of {config.batch_size:,}", where, started.steps_per_epoch, steps),
        compare("held-out images", where, started.val_images, config.val_split),
        compare("device", where, started.device if is_same else device, started.device if is_same else config.device),
    ]
    for name, count, limit in (
        ("training", started.train_images + started.val_images, config.limit_train),
        ("test", started.test_images, config.limit_test),
    ):
        if limit is not None and count > limit:
            checks.append(compare(f"{name} images", where, count, limit))
    yield from summed_up("counts at the start", where, f"{len(checks)} values", checks)


def check_images(
    started: RunStarted, train_images: int, test_images: int, task: ImageTask, classes: Sequence[str]
) -> Iterator[Check]:
    """Check the counts of a start, and what is on the images, against the data set."""
    where = f"{LOG}, run_started"
    yield compare("training images", where, started.train_images + started.val_images, train_images)
    yield compare("test images", where, started.test_images, test_images)
    if (started.task, task) != (MNIST_TASK, MNIST_TASK):
        yield compare("pixels across and classes", where, astuple(started.task), astuple(task))
    if started.classes == DIGITS and not is_own(started.dataset):
        return  # as in every log of an earlier version, which did not say
    names = zip(started.classes, classes, strict=False)  # another number is a finding of its own
    checks = [
        Check(f"name of class {number}", where, logged == found, shown(logged, _NAME), shown(found, _NAME))
        for number, (logged, found) in enumerate(names)
    ]
    yield from summed_up("names of the classes", where, f"{len(checks)} names", checks)


def check_epoch_values(epoch: EpochFinished, started: RunStarted) -> Iterator[Check]:
    """Check the values of an epoch against each other: which scores it has, their ranges, its times."""
    where = f"{LOG}, epoch {epoch.epoch}"
    held_out = started.val_images > 0
    on_held_out = (epoch.val_accuracy, epoch.val_loss)
    on_test = (epoch.test_accuracy, epoch.test_loss, epoch.test_correct, epoch.test_total)
    yield from _present("held-out", where, on_held_out, held_out)
    yield from _present("test", where, on_test, not held_out)
    losses = [value for value in (epoch.train_loss, epoch.val_loss, epoch.test_loss) if value is not None]
    yield compare("losses below 0", where, sum(value < 0 for value in losses), 0)
    shares = (epoch.train_accuracy, epoch.val_accuracy, epoch.test_accuracy)
    yield compare("accuracies outside 0 to 1", where, sum(not 0 <= (share or 0) <= 1 for share in shares), 0)
    trained = epoch.images_per_second * epoch.seconds
    if trained < started.train_images * (1 - ROUNDING):
        yield missing("images_per_second", where, f"in {epoch.seconds:g} s only {trained:,.0f} images")


def _present(item: str, where: str, values: Sequence[object], wanted: bool) -> Iterator[Check]:
    """Check that there are all of some values, or none."""
    yield compare(f"{item} scores", where, sum(value is not None for value in values), len(values) if wanted else 0)


def check_length(view: RunView, end: RunFinished, config: TrainConfig) -> Iterator[Check]:
    """Check that a run has ended where its config says, and took as long as its epochs."""
    where = f"{LOG}, run_finished"
    expected = end_of(config, view.accuracies) or End(config.epochs, "epochs")
    yield compare(f"epochs {_UP_TO[expected.by]}", where, end.epochs, expected.epoch)
    if end.ended_by:  # earlier versions did not say
        yield compare("ended_by", where, end.ended_by, expected.by)
    seconds = sum(epoch.seconds for epoch in view.epochs)
    if end.seconds < seconds * (1 - ROUNDING):
        yield missing("seconds", where, f"{end.seconds:g}, and its epochs took {seconds:g}")
    held_out = view.started is not None and view.started.val_images > 0
    yield from _present("selected", where, (end.selected_epoch, end.selected_test_accuracy), held_out)
    yield from _present("best", where, (end.best_epoch, end.best_test_accuracy), not held_out)
    yield from _present("tta", where, (end.tta_test_accuracy, end.tta_test_correct), config.tta != "none")
    images = view.started.test_images if view.started is not None else 0
    if end.tta_test_accuracy is not None and images:
        share = (end.tta_test_correct or 0) / images
        yield compare(f"tta_test_accuracy as a share of {images:,} images", where, end.tta_test_accuracy, share)
    for name in ("final_test_accuracy", "selected_test_accuracy"):
        if (share := getattr(end, name)) is not None:
            whole = round(share * images) / images if images else None
            yield compare(f"{name} as a share of {images:,} images", where, share, whole)
