"""Options of commands that use a run's stored network, or write a file of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

WhichWeights = Annotated[
    Literal["final", "best"] | None,
    typer.Option(
        help="Which weights: of the last epoch or of the best one [default: final, or best where there are no final]."
    ),
]
ModuleAgain = Annotated[
    str | None,
    typer.Option("--arch", help="For a module of your own: its file and class again.", metavar="FILE.py:CLASS"),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Where to write it [default: named by the run, in this folder].", metavar="PATH"
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file, but no folder, that is there already.")]
