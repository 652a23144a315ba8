"""`predict`: classify pictures with a trained network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.locations import Locations
from experiments.runs.store import Store
from tui.command_line.exit_codes import ExitCode
from tui.command_line.options import AsJson, ModuleAgain, Reference, WhichWeights
from tui.text.output import complain, note, percent, say, say_json, table

if TYPE_CHECKING:
    from experiments.inference.predict import Prediction

Images = Annotated[
    list[Path],
    typer.Argument(
        help="PNG, JPEG, GIF, BMP, PPM, TIFF or WebP files of any size up to 50 million pixels, folders of such, or "
        "patterns; light on dark or dark on light. For a network of handwriting the digit or letter is found and "
        "brought to MNIST's form; one of 28 x 28 pixels with a black rim, up to 20 pixels high, is taken as it is.",
        metavar="IMAGE...",
    ),
]
Many = Annotated[bool, typer.Option("--many", help="All digits or letters on a picture, from left to right.")]
Show = Annotated[bool, typer.Option("--show", help="Draw what the network saw.")]


def predict(
    context: typer.Context,
    run: Reference,
    image: Images,
    weights: WhichWeights = None,
    arch: ModuleAgain = None,
    many: Many = False,
    show: Show = False,
    as_json: AsJson = False,
) -> None:
    """Classify pictures with a trained network.

    A picture that cannot be read is named, the others are answered, and the exit code is 2.
    """
    locations: Locations = context.obj
    found = Store(locations.home).find(run)
    from experiments.execution.apart import try_code
    from experiments.inference.network import load_network
    from experiments.inference.pictures import picture_files
    from experiments.inference.predict import predict as predict_all

    try_code(found, arch)
    network = load_network(found, weights, arch=arch)
    if network.code.note:
        note(network.code.note)
    files, errors = picture_files(image)
    predictions, unread = predict_all(network, files, many=many)
    if as_json:
        if predictions or not (errors or unread):
            say_json([prediction.to_json() for prediction in predictions])
    elif predictions:
        _say(predictions, many=many)
    if show:
        _show(predictions, to_stderr=as_json)
    for error in (*errors, *unread):
        complain(error.message, error.advice)
    if errors or unread:
        raise typer.Exit(ExitCode.USAGE)


def _say(predictions: list[Prediction], *, many: bool) -> None:
    rows = []
    for prediction in predictions:
        (_, first), (second, rest) = prediction.likeliest(2)
        name = f"{prediction.path} ({prediction.digit} of {prediction.digits})" if many else str(prediction.path)
        other = prediction.classes[second]
        rows.append((name, prediction.name, percent(first), f"{other} ({percent(rest)})"))
    say(table(("image", "class", "probability", "next"), rows))
    for prediction in predictions:
        if prediction.digits > 1 and not many:
            what = "digits" if all(name.isdigit() for name in prediction.classes) else "characters"
            note(f"note: {prediction.path}: {prediction.digits} {what} found; --many gives each, from left to right")
        if prediction.doubtful:
            which = f", {prediction.digit} of {prediction.digits}" if many and prediction.digits > 1 else ""
            note(f"note: {prediction.path}{which}: doubtful: {_choice(prediction)}")


def _choice(prediction: Prediction) -> str:
    (first, share), (second, rest) = prediction.likeliest(2)
    one, other = prediction.classes[first], prediction.classes[second]
    return f"{one} ({percent(share)}) or {other} ({percent(rest)})"


def _show(predictions: list[Prediction], *, to_stderr: bool) -> None:
    from tui.drawing.picture import digit_values
    from tui.drawing.plain_text import text_picture

    tell = note if to_stderr else say
    for prediction in predictions:
        of = f" ({prediction.digit} of {prediction.digits})" if prediction.digits > 1 else ""
        tell(f"\n{prediction.path}{of}: {prediction.name}")
        for line in text_picture(digit_values(prediction.image.numpy()), sys.stdout.encoding):
            tell(line)
