"""Checks of a run's log against itself, the config and the checkpoint. They need neither data nor network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.config import TrainConfig
from core.errors import LabError, RunError
from core.events import EpochFinished, RunFinished, RunStarted
from core.training.schedule import learning_rate, plateau_rates
from experiments.runs.config import checked_config, settled_dataset
from experiments.runs.eventlog import Entry, EventReader
from experiments.runs.folder import Run
from experiments.runs.view import RunView, fold
from experiments.verification.consistency import LOG, EventOrder, check_epoch_values, check_length
from experiments.verification.findings import Check, compare, missing, not_checked, summed_up

MAX_STEPS = 10_000_000
"""More than any epoch has."""


def read_log(run: Run) -> tuple[RunView, list[Mapping[str, Any]], list[Check]]:
    """The view that the log gives, the configs that config.json may have, and checks that every line could be read and
    is of this run.

    The config is that of the last start, the first of the list. Where nothing follows a start it may also be that of
    the one before: a process was killed between the two files (`Run.begin`).

    Raises:
        RunError: when the log is missing or has no start of a run.
    """
    reader = EventReader(run.log)
    others, order = 0, EventOrder()
    configs: list[Mapping[str, Any]] = []

    def own_entries() -> Iterator[Entry]:
        nonlocal others
        for entry in reader.skim():
            others += entry.run_id != run.id
            order.take(entry)
            if isinstance(entry.event, RunStarted):
                configs.insert(0, entry.event.config)
            del configs[2 if isinstance(entry.event, RunStarted) else 1 :]
            yield entry

    view = fold(own_entries())
    if view.started is None:
        raise RunError(f"{run.log}: has no start of a run", hint="there is nothing to verify")
    return (
        view,
        configs,
        [
            compare("damaged lines", LOG, reader.damaged, 0),
            compare("lines of other runs", LOG, others, 0),
            compare("line out of order", LOG, order.problem or None, None),
        ],
    )


def check_config(run: Run, configs: Sequence[Mapping[str, Any]], started: RunStarted) -> Iterator[Check]:
    """Compare the stored config with the one in the log, the first of those that it may be, field by field."""
    stored = run.config()
    try:
        stored = checked_config(run, stored and stored | {"dataset": settled_dataset(started)}).model_dump()
        logged = [checked_config(run, values).model_dump() for values in configs]
    except LabError as error:
        yield missing("config", "config.json", error.message)
        return
    values = stored if stored in logged else logged[0]
    checks = [compare(f"config {field}", "config.json", stored[field], value) for field, value in values.items()]
    yield from summed_up("config", "config.json", f"{len(checks)} fields", checks)


def check_epochs(view: RunView, started: RunStarted, config: TrainConfig) -> Iterator[Check]:
    """Check that no epoch is missing, and each epoch's accuracies and learning rate.

    An accuracy must be a whole number of images divided by their count; the learning rate is that of the schedule at
    the epoch's last step.
    """
    numbers = [epoch.epoch for epoch in view.epochs]
    gap = next((place for place, number in enumerate(numbers, start=1) if number != place), None)
    yield compare("first epoch missing in the log", LOG, gap, None)
    checks = [compare("epochs beyond those of the config", LOG, sum(number > config.epochs for number in numbers), 0)]
    # Numbers that cannot be are findings of their own, and shall not be too large to be computed with.
    steps = min(max(1, started.steps_per_epoch), MAX_STEPS)
    losses = list(view.losses.values()) if config.schedule == "plateau" else []
    on_plateau = dict(enumerate(plateau_rates(config, losses, steps), start=1))
    for epoch in view.epochs:
        last_step = min(max(1, epoch.epoch), config.epochs) * steps - 1
        rate = learning_rate(config, last_step, steps, on_plateau.get(epoch.epoch))
        checks += _epoch_checks(epoch, started, rate)
    yield from summed_up("epochs", LOG, f"{len(numbers)} epochs", checks)


def _epoch_checks(epoch: EpochFinished, started: RunStarted, rate: float) -> Iterator[Check]:
    where = f"{LOG}, epoch {epoch.epoch}"
    yield from check_epoch_values(epoch, started)
    yield compare("lr", where, epoch.lr, rate)
    for part, count, accuracy in (
        ("train", started.train_images, epoch.train_accuracy),
        ("val", started.val_images, epoch.val_accuracy),
        ("test", started.test_images, epoch.test_accuracy),
    ):
        if accuracy is not None:
            whole = round(accuracy * count) / count if count else None
            yield compare(f"{part}_accuracy as a share of {count:,} images", where, accuracy, whole)
    if epoch.test_accuracy is not None and epoch.test_correct is not None:
        share = epoch.test_correct / (epoch.test_total or 1)
        yield compare("test_total", where, epoch.test_total, started.test_images)
        yield compare("test_accuracy", where, epoch.test_accuracy, share)


def check_end(view: RunView, config: TrainConfig) -> Iterator[Check]:
    """Compare the result with the epochs and the config; a run that has not finished has none."""
    end, accuracies = view.end, view.accuracies
    if not isinstance(end, RunFinished):
        yield not_checked("result", LOG, "the run has not finished")
        return
    where = f"{LOG}, run_finished"
    checks = [
        compare("epochs", where, end.epochs, len(view.epochs)),
        compare("first_epoch_at_target", where, end.first_epoch_at_target, view.first_epoch_at_target),
        compare("early_signal", where, end.early_signal, view.early_signal),
        *check_length(view, end, config),
    ]
    if end.selected_epoch is not None:
        checks.append(compare("selected_epoch", where, end.selected_epoch, view.best_epoch))
    else:
        checks.append(compare("best_epoch", where, end.best_epoch, view.best_epoch))
        checks.append(compare("best_test_accuracy", where, end.best_test_accuracy, view.best_test_accuracy))
        checks.append(compare("final_test_accuracy", where, end.final_test_accuracy, accuracies.get(end.epochs)))
    yield from summed_up("result", where, f"{len(checks)} values", checks)


def check_checkpoint_scores(run: Run, view: RunView) -> Iterator[Check]:
    """Compare the scores of all epochs with those in the checkpoint, where earlier versions kept no losses."""
    from core.storage.checkpoint import load_checkpoint

    where = run.checkpoint.name
    try:
        checkpoint = load_checkpoint(run.checkpoint)
    except RunError as error:
        yield missing("checkpoint", where, error.message)
        return
    if checkpoint is None:
        yield not_checked("scores of the epochs", where, "there is none")
        return
    checks = [
        compare(name, f"{LOG}, epoch {epoch}", logged.get(epoch), value)
        for name, part, logged in (("accuracy", "accuracies", view.accuracies), ("loss", "losses", view.losses))
        for epoch, value in enumerate(checkpoint.state.get(part, []), start=1)
    ]
    yield from summed_up("scores of the epochs", where, f"{len(checks)} epochs", checks)
