"""`bench`: how fast this machine trains."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, get_args

import typer

from core.config import EngineChoice, TrainConfig
from core.network import summarize_config
from experiments.environment import describe_machine
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
    engine: Annotated[
        list[str] | None, typer.Option(help="Engines to time; by default all that work here.", metavar="NAME")
    ] = None,
    precision: Annotated[str, typer.Option(help="Arithmetic of the trainer's steps.")] = "fp32",
    device: Annotated[str, typer.Option(help="Where to train.")] = "auto",
    full: Annotated[
        bool, typer.Option("--full", help=f"Also train the preset {DEFAULT} until it reaches its target.")
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(
            help="Also train so many seeds of the first network as one, where they can be, and one alone: whole runs "
            "on a GPU, one epoch on the CPU.",
            metavar="N",
            parser=whole_number("seeds", 0, 1000),
        ),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time training with each engine beside the loop of the PyTorch MNIST example, taking turns, on full MNIST."""
    base = load_preset(DEFAULT).values
    changes = {"dataset": "mnist", "batch_size": batch_size, "device": device, "precision": precision}
    configs = [TrainConfig.checked({**base, **changes, "arch": name}) for name in arch or ("conv9", "conv5")]
    for config in configs:
        summarize_config(config)
    for name in engine or ():
        configs[0].changed(engine=name)
    from core.data import Loader
    from core.device import describe_device, pick_device
    from core.engines import available_engines, choose_engine
    from core.grouped import why_apart
    from core.precision import check_precision
    from experiments.bench import compare_loops, time_to_target
    from experiments.bench_seeds import time_seeds
    from experiments.peak import matrix_peak

    place = pick_device(device)
    check_precision(configs[0].precision, place)
    for name in engine or ():
        choose_engine(configs[0].changed(engine=name), place, steps)
    engines: list[EngineChoice] = [name for name in _names() if name in (engine or available_engines(place))]
    locations: Locations = context.obj
    dataset = Loader(locations.data, locations.cache).load("mnist")
    peak = matrix_peak(place)
    timings = []
    for config in configs:
        note(f"timing {config.arch}, {rounds} rounds of {steps} steps for the example and {', '.join(engines)}")
        timings += compare_loops(config, dataset, rounds=rounds, steps=steps, peak=peak, engines=tuple(engines))
    report: dict[str, Any] = {
        "environment": describe_machine(describe_device(place)),
        "rounds": rounds,
        "steps": steps,
        "matrix_peak_gflops": peak / 1e9,
        "timings": [asdict(timing) for timing in timings],
        "time_to_target": None,
        "seeds": [],
    }
    if full:
        note(f"training {DEFAULT} until it reaches its target")
        config = TrainConfig.checked({**base, "dataset": "mnist", "device": device})
        report["time_to_target"] = asdict(time_to_target(config, dataset))
    if seeds:
        config = configs[0].changed(epochs=configs[0].epochs if place.type == "cuda" else 1)
        apart = why_apart([config])
        what = f"one seed of {config.arch}" if apart else f"{seeds} seeds of {config.arch} as one network, and one"
        note(f"training {what} alone")
        timed = time_seeds(config, dataset, seeds)
        report["seeds"] = [asdict(one) | {"seeds_per_minute": one.seeds_per_minute} for one in timed]
    if as_json:
        say_json(report)
    else:
        _show(report)


def _names() -> tuple[EngineChoice, ...]:
    return get_args(EngineChoice)


def _show(report: dict[str, Any]) -> None:
    rows = [
        (
            timing["arch"],
            timing["loop"],
            f"{timing['ms_per_step']:.2f}",
            f"{timing['ms_lowest']:.2f} to {timing['ms_highest']:.2f}",
            round(timing["images_per_second"]),
            f"{timing['ratio_to_example']:.2f}",
            f"{timing['share_of_peak']:.0%}",
            f"{timing['ready_seconds']:.1f}",
        )
        for timing in report["timings"]
    ]
    columns = ("network", "loop", "ms a step", "medians of rounds", "images/s", "ratio", "of peak", "s to get ready")
    say(table(columns, rows))
    for text in sorted({timing["note"] for timing in report["timings"]} - {""}):
        note(text)
    if target := report["time_to_target"]:
        result = "reached" if target["reached"] else "not reached"
        say(f"{target['target']:g} % {result} after {target['epochs']} epochs, {target['seconds']:.1f} s")
    for timed in report["seeds"]:
        count = f"{timed['copies']} seed{'s' * (timed['copies'] != 1)}"
        words = f"{count} {timed['way']}, {timed['epochs']} epochs each: {timed['seconds']:.1f} s"
        say(f"{words} after {timed['preparing']:.1f} s, {timed['seeds_per_minute']:.1f} a minute")
        if timed["note"]:
            note(f"seeds of {timed['arch']} are trained one after the other, because {timed['note']}")
    machine = report["environment"]
    peak = f"matrix peak {report['matrix_peak_gflops']:,.0f} GFLOP/s"
    batch = report["timings"][0]["batch_size"]
    say(f"{machine['cpu']}, {machine['device']}, torch {machine['versions']['torch']}, {peak}, batch {batch}")
