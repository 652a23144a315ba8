"""Options and arguments that several commands take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from experiments.export.tracking import Service, Tracking
from experiments.locations import Locations
from experiments.runs.folder import Run
from experiments.runs.store import Store
from tui.command_line.signals import stop_on_signals
from tui.text.output import note

Reference = Annotated[str, typer.Argument(help="An id, a unique prefix of one, a name, or latest.", metavar="RUN")]
RunOrGroup = Annotated[
    str, typer.Argument(help="An id, a unique prefix of one, a name, or latest; of a run or a group.", metavar="RUN")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# For commands that use a run's stored network, or write a file

WhichWeights = Annotated[
    Literal["final", "best"] | None,
    typer.Option(
        help="Which weights: of the last epoch (final) or of the best one (best) [default: final, or best "
        "while there are no final ones]."
    ),
]
ModuleAgain = Annotated[
    str | None,
    typer.Option("--arch", help="For a module of your own: name its file and class again.", metavar="FILE.py:CLASS"),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Where to write it [default: this folder, named after the run].", metavar="PATH"
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a existing file (never a folder).")]

SaveWrong = Annotated[
    Path | None,
    typer.Option(
        help="Write the test images that the final weights get wrong into this folder, as PNG.", metavar="DIR"
    ),
]

# For commands that train

WithTensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Write event files for TensorBoard into the run's folder, as it goes.")
]
LogTo = Annotated[
    Service | None,
    typer.Option(
        help="Show the run in this tracker too, as it goes; its package must be installed. When the tracker "
        "fails, the run goes on."
    ),
]


def checked_tracking(store: Store, *, tensorboard: bool, log_to: Service | None) -> Tracking:
    """The tracking that was asked for; its failures become warnings on stderr.

    Raises:
        InvalidValue: when a package that it needs is missing.
    """
    tracking = Tracking(store, lambda text: note(f"warning: {text}"), tensorboard, log_to)
    tracking.check()
    return tracking


def tracking_options(tracking: Tracking) -> list[str]:
    """The options that make another process track in the same way."""
    options = ["--tensorboard"] if tracking.tensorboard else []
    return options if tracking.log_to is None else [*options, "--log-to", tracking.log_to]


def save_wrong_images(runs: Sequence[Run], locations: Locations, folder: Path, *, arch: str | None = None) -> None:
    """Write the misclassified test images of runs; of several ones each into a folder with the run's id as its name.

    Raises:
        LabError: when a run cannot be scored, or the folder cannot be written.
    """
    from experiments.inference.scoring import save_wrong, score_run

    for run in runs:
        target = folder if len(runs) == 1 else folder / run.id
        with stop_on_signals("images that were written were kept") as stop:
            count = save_wrong(score_run(run, locations, None, arch=arch, should_stop=stop), target)
        note(f"{target}: {count:,} test images that run {run.id} gets wrong")
