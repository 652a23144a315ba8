"""`data`: where the data sets are, whether they are whole, and what augmentation makes of them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.config import TrainConfig
from core.dataset_names import TASKS, is_own, path_and_pin
from core.errors import DataError, InvalidValue
from core.fields import NEEDS
from experiments.locations import Locations
from tui.command_line.config_options import with_config_options
from tui.command_line.following import download_progress
from tui.command_line.signals import stop_on_signals
from tui.text.advice import for_command_line
from tui.text.numbers import whole_number
from tui.text.output import note, say, table

if TYPE_CHECKING:
    from core.data.loader import Dataset, Loader

Row = tuple[str, str, str, str, str]

SHOWN = 16
"""Images that are drawn unless another number is asked for."""
FIELDS = frozenset({"augment", "seed"} | {field for field, (chooser, _) in NEEDS.items() if chooser == "augment"})
"""The fields of a config that decide what is drawn."""

_COUNT = whole_number("count", 1, 1000)


def _checked(text: str) -> str:
    if text == "auto":
        raise InvalidValue("dataset", text, "must be one of the data sets that it chooses from", hint="try mnist")
    return TrainConfig.checked({"dataset": text}).dataset


@with_config_options(after="ascii_only", fields=FIELDS)
def data(
    context: typer.Context,
    action: Annotated[
        Literal["download", "verify", "path", "show"] | None,
        typer.Argument(
            help="Download what is missing, verify every file, print the folder, or draw augmented images.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Which data set: one of the list, or the path of your own data.",
            metavar="NAME|PATH",
            parser=_checked,
            autocompletion=lambda: [name for name in TASKS if name != "auto"],
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="show: so many images [default: 16].", metavar="N", parser=_COUNT)
    ] = None,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="show: draw with ASCII characters only.")] = False,
    **changes: Any,
) -> None:
    """List the data sets, or download, verify, locate or show one. That is mnist unless --dataset names another."""
    from core.data.loader import Loader
    from core.data.sources import ALIASES, NAMES

    locations: Locations = context.obj
    given = {field: value for field, value in changes.items() if value is not None}
    if action != "show":
        _refuse_others(given | ({} if count is None else {"count": count}) | ({"ascii": True} if ascii_only else {}))
    with stop_on_signals("files that are whole were kept") as stop:
        loader = Loader(locations.data, locations.cache, stop, download_progress())
        name = dataset or "mnist"
        name = ALIASES.get(name, name)
        match action:
            case "download":
                _download(loader, name)
            case "verify":
                _verify(loader, name)
            case "show":
                from tui.commands.data_show import show_augmented
                from tui.drawing.plain_text import has_braille

                config = TrainConfig.checked({"dataset": dataset or "auto", **given})
                width = shutil.get_terminal_size().columns
                braille = has_braille(sys.stdout.encoding) and not ascii_only
                show_augmented(loader, config, count or SHOWN, width=width, braille=braille)
            case "path":
                say(str(_where(loader, name)))
            case None:
                rows = [_row(loader, one) for one in ([name] if dataset else NAMES)]
                say(table(("data set", "images", "classes", "state", "where"), rows))


def _refuse_others(given: Mapping[str, object]) -> None:
    """Raise `InvalidValue` for the first option that has a meaning beside `show` alone."""
    for name, value in given.items():
        raise InvalidValue(name, value, "is an option of data show", hint="write mnist-tui data show, or leave it out")


def _download(loader: Loader, name: str) -> None:
    from core.data.bundled import find_bundled
    from core.data.sources import BUNDLED, EMNIST_BYTES, SOURCES

    if is_own(name):
        raise InvalidValue("dataset", name, "is your own, which is not downloaded", hint="leave it where it is")
    if name == BUNDLED:
        find_bundled()
    else:
        if SOURCES[name].archive and loader.place(name).missing:
            note(f"{name} is in an archive with the rest of EMNIST: {EMNIST_BYTES / 1e6:.0f} MB are downloaded")
        loader.fetch(name, asked=True)
    note(f"{name}: ready")


def _verify(loader: Loader, name: str) -> None:
    if is_own(name):
        own = loader.load(name)
        say(f"{own.path}: good")
        note(_in_words(own))
        return
    files = loader.verify(name)
    for stored, verified in files:
        say(f"{stored}: good" if verified else f"{stored}: whole, but no published sum of what is in it is known")
    unknown = sum(not verified for _, verified in files)
    note(f"{name}: every file is good" if not unknown else f"{name}: {unknown} of 4 files cannot be verified by a sum")


def _in_words(own: Dataset) -> str:
    task = own.task
    images = f"{len(own.train_labels):,} images to train on, {len(own.test_labels):,} to test on"
    words = f"{own.name}: {images}, {task.size} x {task.size} pixels, {task.classes} classes"
    return f"{words}; {own.note}" if own.note else words


def _where(loader: Loader, name: str) -> Path:
    from core.data.bundled import find_bundled
    from core.data.sources import BUNDLED

    if is_own(name):
        return path_and_pin(name)[0]
    return find_bundled() if name == BUNDLED else loader.place(name).folder


def _row(loader: Loader, name: str) -> Row:
    from core.data.bundled import PER_CLASS, TEST_PER_CLASS, find_bundled
    from core.data.sources import BUNDLED, SOURCES

    if is_own(name):
        own = loader.load(name)
        counts = f"{len(own.train_labels):,} + {len(own.test_labels):,}"
        return own.name, counts, str(own.task.classes), "here", str(path_and_pin(name)[0])
    if name == BUNDLED:
        counts = f"{10 * (PER_CLASS - TEST_PER_CLASS):,} + {10 * TEST_PER_CLASS:,}"
        try:
            return name, counts, "10", "here", str(find_bundled())
        except DataError as error:
            return name, counts, "10", "missing", for_command_line(error.advice)
    source = SOURCES[name]
    counts = f"{source.files[1].shape[0]:,} + {source.files[3].shape[0] - source.skipped:,}"
    try:
        place = loader.place(name)
    except DataError as error:
        return name, counts, str(len(source.classes)), "unreachable", error.message
    state = "here" if not place.missing else f"{len(place.missing)} of 4 files missing"
    where = "; ".join((str(place.folder), *place.others))
    return name, counts, str(len(source.classes)), state, where
