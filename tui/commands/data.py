"""`data`: where the data sets are and whether they are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.errors import DataError
from experiments.locations import Locations
from tui.command_line.following import download_progress
from tui.command_line.signals import stop_on_signals
from tui.text.advice import for_command_line
from tui.text.output import note, say, table

if TYPE_CHECKING:
    from core.data.loader import Loader


def data(
    context: typer.Context,
    action: Annotated[
        Literal["download", "verify", "path"] | None,
        typer.Argument(help="Download what is missing, verify every file, or print the folder.", show_default=False),
    ] = None,
    dataset: Annotated[
        Literal["mnist", "fashion", "kmnist", "mnist-5k"] | None, typer.Option(help="Which data set.")
    ] = None,
) -> None:
    """List the data sets, or download, verify or locate one. That is mnist unless --dataset names another."""
    from core.data.bundled import find_bundled
    from core.data.loader import Loader
    from core.data.sources import BUNDLED, NAMES

    locations: Locations = context.obj
    with stop_on_signals("files that are whole were kept") as stop:
        loader = Loader(locations.data, locations.cache, stop, download_progress())
        name = dataset or "mnist"
        match action:
            case "download":
                if name == BUNDLED:
                    find_bundled()
                else:
                    loader.fetch(name)
                note(f"{name}: ready")
            case "verify":
                paths = loader.verify(name)
                for path in paths.values():
                    say(f"{path}: good")
                note(f"{name}: every file is good")
            case "path":
                say(str(find_bundled() if name == BUNDLED else loader.folder(name)))
            case None:
                rows = [(one, *_state(loader, one)) for one in NAMES if dataset in (None, one)]
                say(table(("data set", "state", "where"), rows))


def _state(loader: Loader, name: str) -> tuple[str, str]:
    from core.data.bundled import find_bundled
    from core.data.sources import BUNDLED

    if name == BUNDLED:
        try:
            return "here", str(find_bundled())
        except DataError as error:
            return "missing", for_command_line(error.advice)
    missing = loader.missing_files(name)
    state = "here" if not missing else f"{len(missing)} of 4 files missing"
    return state, str(loader.folder(name))
