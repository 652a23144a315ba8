"""The config that a run's folder holds, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.config import TrainConfig
from core.dataset_names import name_of
from core.errors import InvalidValue, RunError
from core.events import RunStarted
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
