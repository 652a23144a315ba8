"""The config that a run's folder holds, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.dataset_names import name_of
from core.errors import InvalidValue, OverBudget, RunError, printable
from core.events import RunFinished, RunStarted
from core.history import end_of
from core.task import DIGITS, MNIST_TASK, ImageTask
from experiments.runs.folder import Run
from experiments.runs.view import RunView

EXTENDED = ("epochs", "stop_at_target", "early_stop", "budget")
"""The fields that going on with a run may change. The log has them first (`Run.begin`)."""


def stored_config(run: Run, view: RunView | None = None) -> TrainConfig:
    """The config in a run's folder, its data set the one that the run turned out to use.

    Args:
        view: what the run's log says, where that is known already.

    Raises:
        RunError: when it is damaged.
    """
    values, view = run.config(), view or run.view()
    if values and view.started is not None:
        logged = {field: view.config[field] for field in EXTENDED if field in view.config}
        values |= {**logged, "dataset": settled_dataset(view.started)}
    return checked_config(run, values)


def settled_dataset(started: RunStarted) -> str:
    """The data set that a run turned out to use, as its config says it; of one's own data with their path.

    Earlier versions left ``auto`` in the config.
    """
    chosen = started.config.get("dataset")
    return chosen if isinstance(chosen, str) and name_of(chosen) == started.dataset else started.dataset


def stored_task(run: Run, view: RunView | None = None) -> ImageTask:
    """What the run's data set asked of its network; that of MNIST where the log does not say.

    Raises:
        RunError: when it is none that there are networks for.
    """
    started = (view or run.view()).started
    if started is not None and not started.task.allowed:
        raise RunError(f"{run.log}: damaged: images of {started.task} are not for networks", hint="start a new run")
    return MNIST_TASK if started is None else started.task


def class_names(started: RunStarted | None) -> tuple[str, ...]:
    """The names of a run's classes, each in one line; the digits where its log does not say."""
    return DIGITS if started is None else tuple(printable(name) for name in started.classes)


def checked_config(run: Run, values: Mapping[str, Any]) -> TrainConfig:
    """The config of the values in a run's config.json.

    Raises:
        RunError: when it is damaged.
    """
    try:
        checked = TrainConfig.checked({**values, "budget": False})
    except InvalidValue as error:
        raise RunError(f"{run.folder / 'config.json'}: damaged: {error.message}", hint="start a new run") from error
    if not values:
        raise RunError(f"{run.folder / 'config.json'}: damaged", hint="start a new run")
    return checked.model_copy(update={"budget": values.get("budget") is not False})


def extended_config(run: Run, config: TrainConfig, view: RunView, epochs: int) -> TrainConfig:
    """The config of a run that shall go on to so many epochs in all.

    Raises:
        InvalidValue: when it has as many, or was laid out for its length.
        OverBudget: for too many.
    """
    if epochs <= view.epochs_done:
        hint = "give a larger number of epochs in all"
        raise InvalidValue("epochs", epochs, f"{view.epochs_done} epochs are done", hint=hint)
    if epochs != config.epochs and config.schedule in ("onecycle", "cosine"):
        reason = f"the {config.schedule} schedule was laid out for {config.epochs} epochs"
        raise InvalidValue("epochs", epochs, reason, hint="start a new run of that length")
    if epochs != config.epochs and config.swa:
        reason = f"the mean of the weights was laid out for {config.epochs} epochs"
        raise InvalidValue("epochs", epochs, reason, hint="start a new run of that length")
    try:
        config = config.changed(epochs=epochs)
    except OverBudget as error:
        error.advice = Advice(Tip(Action.LIFT_RUN_BUDGETS, run.id))
        raise
    if isinstance(view.end, RunFinished):  # whatever rule would end it where it is, it shall go on now
        while (end := end_of(config, view.accuracies)) is not None and end.by != "epochs":
            config = config.changed(**{end.by: type(getattr(config, end.by))()})
    return config
