"""What the command line makes of a `run` command, without running it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from core.config import TrainConfig
from tui.cli import load_command
from tui.command_line.run_plan import configure

RUN = load_command("run")


@dataclass(frozen=True)
class Typed:
    config: TrainConfig
    parameters: dict[str, object]


def typed(command: str) -> Typed:
    """The config and the parameters of a command, which may be any shell's.

    Raises:
        LabError, typer's errors: as the command does.
    """
    program, name, *words = shlex.split(command)
    assert (program, name) == ("mnist-tui", "run")
    parameters = RUN.make_context("run", words).params
    changes = {field: value for field in TrainConfig.model_fields if (value := parameters[field]) is not None}
    preset, file = parameters["preset"], parameters["config"]
    return Typed(configure(preset, file, changes), parameters)
