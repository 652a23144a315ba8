"""The config that a run's folder holds, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.errors import InvalidValue, RunError
from core.models.network import absolute_arch
from core.models.spec import is_user_module
from experiments.runs.folder import Run
from experiments.runs.view import RunView

EXTENDED = ("epochs", "stop_at_target", "budget")
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
        values |= {**logged, "dataset": view.started.dataset}
    return checked_config(run, values)


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


def name_module_again(run: Run, config: TrainConfig, arch: str | None) -> TrainConfig:
    """The config with a user's own module as it was named just now; any other network needs no name.

    Raises:
        InvalidValue: when the module is not named, or something is named where there is none.
    """
    if is_user_module(config.arch):
        if arch is None:
            again = Tip(Action.OPTION, "arch", config.arch)
            hint = Advice("name the code again, so that you know what is run: ", again)
            raise InvalidValue("run", run.id, "trains a module of your own", hint=hint)
        return config.changed(arch=absolute_arch(arch))
    if arch is not None:
        raise InvalidValue("arch", arch, f"the run's network is {config.arch}", hint=Tip(Action.LEAVE_OUT, "arch"))
    return config
