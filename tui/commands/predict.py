"""`predict`: classify pictures with a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.locations import Locations
from experiments.runs.store import Store
from tui.command_line.options import AsJson, ModuleAgain, Reference, WhichWeights
from tui.text.output import note, percent, say, say_json, table

Images = Annotated[
    list[Path],
    typer.Argument(
        help="PNG, JPEG, GIF, BMP, PPM, TIFF or WebP files of any size up to 50 million pixels, light on dark or dark "
        "on light. Each is normalised as MNIST was; one of 28 x 28 pixels with a black rim is taken as it is.",
        metavar="IMAGE...",
    ),
]


def predict(
    context: typer.Context,
    run: Reference,
    image: Images,
    weights: WhichWeights = None,
    arch: ModuleAgain = None,
    as_json: AsJson = False,
) -> None:
    """Classify pictures of digits with a trained network."""
    locations: Locations = context.obj
    found = Store(locations.home).find(run)
    from experiments.inference.network import load_network
    from experiments.inference.predict import predict as predict_all

    network = load_network(found, weights, arch=arch)
    if network.code.note:
        note(network.code.note)
    predictions = predict_all(network, image)
    if as_json:
        say_json([prediction.to_json() for prediction in predictions])
        return
    rows = []
    for prediction in predictions:
        (_, first), (second, rest) = prediction.likeliest(2)
        runner_up = f"{second} ({percent(rest)})"
        rows.append((prediction.path, str(prediction.prediction), percent(first), runner_up))
    say(table(("image", "class", "probability", "next"), rows))
