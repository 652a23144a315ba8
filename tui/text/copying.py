"""What can be copied of what is shown, and the way to the clipboard of the person who looks at it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from core.config import TrainConfig
from core.errors import RunError
from experiments.runs.folder import Run
from tui.text.run_command import run_command

Copy = tuple[str, str]
"""What it is, and its text."""
TMUX_PATIENCE = 2.0
"""Seconds that tmux gets to take a text."""


def copies_of_run(run: Run) -> list[Copy]:
    """Its id, the spec of its network and the command that trains the same; by its log, or if that cannot be read, by
    the config in its folder."""
    meta, values = run.meta(), run.config()
    with suppress(RunError):
        values = dict(run.view().config) or values
    command = run_command(values, name=meta.name, tags=meta.tags) if values else ""
    return _some(("run id", run.id), ("spec", str(values.get("arch", ""))), ("command", command))


def copies_of_config(config: TrainConfig, seeds: Sequence[int] = (), name: str = "") -> list[Copy]:
    """The spec and the command of a run that has not begun."""
    several = seeds if len(seeds) > 1 else ()
    return _some(("spec", config.arch), ("command", run_command(config.model_dump(), name=name, seeds=several)))


def _some(*copies: Copy) -> list[Copy]:
    return [copy for copy in copies if copy[1]]


def give_to_tmux(text: str) -> None:
    """Let tmux, where this runs in it, pass a text on to the clipboard: by default it keeps the escape sequence for
    that from the programs in it."""
    if os.environ.get("TMUX"):
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                ["tmux", "load-buffer", "-w", "-"],
                input=text.encode(),
                capture_output=True,
                timeout=TMUX_PATIENCE,
                check=False,
            )
