"""Options by which a run is shown elsewhere as it goes."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.export.tracking import Service, Tracking
from experiments.runs.store import Store
from tui.text.output import note

WithTensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Write event files for TensorBoard into the run's folder as it goes.")
]
LogTo = Annotated[
    Service | None,
    typer.Option(help="Show the run there too, as it goes; the package must be installed. Its failures stop nothing."),
]


def checked_tracking(store: Store, *, tensorboard: bool, log_to: Service | None) -> Tracking:
    """What was asked for, its failures to be noted on stderr.

    Raises:
        InvalidValue: when a package that it needs is missing.
    """
    tracking = Tracking(store, lambda text: note(f"warning: {text}"), tensorboard, log_to)
    tracking.check()
    return tracking


def as_options(tracking: Tracking) -> list[str]:
    """The same for another process of this program."""
    options = ["--tensorboard"] if tracking.tensorboard else []
    return options if tracking.log_to is None else [*options, "--log-to", tracking.log_to]
