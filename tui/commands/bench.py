"""`bench`: how fast this machine trains."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from core.config import TrainConfig
from core.network import summarize_config
from experiments.environment import describe_environment
from experiments.locations import Locations
from experiments.presets import DEFAULT, load_preset
from tui.options import whole_number
from tui.output import note, say, say_json, table


def bench(
    context: typer.Context,
    arch: Annotated[list[str] | None, typer.Option(help="Networks to time; conv9 and conv5 by default.")] = None,
    batch_size: Annotated[
        int, typer.Option(help="Images in a step.", metavar="N", parser=whole_number("batch_size", 1, 6000))
    ] = 256,
    rounds: Annotated[
        int, typer.Option(help="How often the loops take turns.", metavar="N", parser=whole_number("rounds", 1))
    ] = 5,
    steps: Annotated[
        int, typer.Option(help="Timed steps in a round.", metavar="N", parser=whole_number("steps", 1, 200))
    ] = 40,
    device: Annotated[str, typer.Option(help="Where to train.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time training beside the loop of the PyTorch MNIST example, taking turns, on full MNIST."""
    base = load_preset(DEFAULT).values
    changes = {"dataset": "mnist", "batch_size": batch_size, "device": device}
    configs = [TrainConfig.checked({**base, **changes, "arch": name}) for name in arch or ("conv9", "conv5")]
    for config in configs:
        summarize_config(config)
    from core.data import Loader
    from core.device import describe_device, pick_device
    from experiments.bench import compare_loops

    locations: Locations = context.obj
    dataset = Loader(locations.data, locations.cache).load("mnist")
    timings = []
    for config in configs:
        note(f"timing {config.arch}, {rounds} rounds of {steps} steps for each loop")
        timings += compare_loops(config, dataset, rounds=rounds, steps=steps)
    machine = describe_environment(describe_device(pick_device(device)))
    if as_json:
        say_json({"environment": machine, "rounds": rounds, "steps": steps, "timings": [asdict(t) for t in timings]})
        return
    rows = [
        (
            timing.arch,
            timing.loop,
            f"{timing.ms_per_step:.1f}",
            f"{timing.ms_lowest:.1f} to {timing.ms_highest:.1f}",
            round(timing.images_per_second),
            f"{timing.ratio_to_example:.2f}",
        )
        for timing in timings
    ]
    say(table(("network", "loop", "ms a step", "medians of rounds", "images/s", "ratio"), rows))
    say(f"{machine['cpu']}, {machine['device']}, torch {machine['versions']['torch']}, batch {batch_size}")
