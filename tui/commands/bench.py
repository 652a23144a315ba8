"""`bench`: how fast this machine trains."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from statistics import median
from typing import Annotated, Any, get_args

import typer

from core.config import EngineChoice, Precision, TrainConfig
from core.models.network import make_network, summarize_config
from experiments.locations import Locations
from experiments.presets.loader import DEFAULT, load_preset
from experiments.runs.environment import describe_machine
from tui.command_line.config_options import METAVARS
from tui.text.numbers import whole_number
from tui.text.output import counted, keep_stdout_for_data, note, note_logs, say, say_json, table


def bench(
    context: typer.Context,
    arch: Annotated[
        list[str] | None,
        typer.Option(
            help="A network to time, of any size; may be repeated [default: conv9 and conv5].", metavar=METAVARS["arch"]
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(help="Images in a step.", metavar="N", parser=whole_number("batch_size", 1, 6000))
    ] = 256,
    rounds: Annotated[
        int,
        typer.Option(
            help="Number of rounds in which the loops take turns.", metavar="N", parser=whole_number("rounds", 1)
        ),
    ] = 5,
    steps: Annotated[
        int, typer.Option(help="Timed steps in a round.", metavar="N", parser=whole_number("steps", 1, 200))
    ] = 40,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            help="An engine to time; may be repeated [default: all that work here].",
            metavar="|".join(get_args(EngineChoice)),
        ),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="Arithmetic of the trainer's steps.", metavar="|".join(get_args(Precision)))
    ] = "fp32",
    device: Annotated[str, typer.Option(help="Where to train.", metavar=METAVARS["device"])] = "auto",
    full: Annotated[
        bool, typer.Option("--full", help=f"Also train the preset {DEFAULT} until it reaches its target.")
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(
            help="Also time this many seeds of the first network trained as one network, where that is possible, "
            "and one seed alone: whole runs on a GPU, one epoch on a CPU.",
            metavar="N",
            parser=whole_number("seeds", 0, 1000),
        ),
    ] = 0,
    busy: Annotated[
        int,
        typer.Option(
            help="Also time the engines native and eager and a tuned loop of PyTorch on a CPU, with and without this "
            "many processes that compute all the time.",
            metavar="N",
            parser=whole_number("busy", 0, 1000),
        ),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time training with each engine and with PyTorch's MNIST example. They take turns, on full MNIST."""
    base = TrainConfig.checked({**load_preset(DEFAULT).values, "dataset": "mnist", "device": device})
    timed = {
        "batch_size": batch_size,
        "precision": precision,
        "budget": False,
    }  # a network that is only timed has no budget
    configs = [base.changed(**timed, arch=name) for name in arch or ("conv9", "conv5")]
    for config in configs:
        summarize_config(config)
    for name in engine or ():
        configs[0].changed(engine=name)
    keep_stdout_for_data()
    note_logs()
    with redirect_stdout(sys.stderr):  # a user's module may print; stdout is for data
        report = _measure(context.obj, configs, engine or (), rounds, steps, base if full else None, seeds, busy)
    if as_json:
        say_json(report)
    else:
        _show(report)


def _measure(
    locations: Locations,
    configs: Sequence[TrainConfig],
    engines: Sequence[str],
    rounds: int,
    steps: int,
    to_target: TrainConfig | None,
    seeds: int,
    busy: int,
) -> dict[str, Any]:
    from core.data.loader import Loader
    from core.device.device import check_precision, describe_device, pick_device
    from core.engines.choose import available_engines, choose_engine
    from core.grouped.network import grouping_obstacle
    from experiments.bench.busy import check_busy, compare_busy
    from experiments.bench.loops import compare_loops, time_to_target
    from experiments.bench.seeds import time_seeds

    first = configs[0]
    place = pick_device(first.device)
    check_precision(first.precision, place)
    check_busy(first, busy)
    for name in engines:
        choose_engine(first.changed(engine=name), place, steps)
    for config in configs:
        make_network(config)  # so that errors in a user's module come before anything slow
    names = tuple(name for name in get_args(EngineChoice) if name in (engines or available_engines(place)))
    dataset = Loader(locations.data, locations.cache).load("mnist")
    timings = []
    for config in configs:
        work = f"{counted(rounds, 'round')} of {counted(steps, 'step')}"
        note(f"timing {config.arch}, {work} for the example and {', '.join(names)}")
        timings += compare_loops(config, dataset, rounds=rounds, steps=steps, engines=names)
    report: dict[str, Any] = {
        "environment": describe_machine(describe_device(place)),
        "rounds": rounds,
        "steps": steps,
        "matrix_peak_gflops": median(timing.peak_gflops for timing in timings),
        "timings": [asdict(timing) for timing in timings],
        "time_to_target": None,
        "seeds": [],
        "busy": [],
    }
    both = [name for name in names if name in ("native", "eager")]
    for config in configs if busy else ():
        note(f"timing {config.arch} with and without {counted(busy, 'busy process', 'es')}")
        timed_busy = compare_busy(config, dataset, rounds=rounds, steps=steps, busy=busy, engines=both)
        report["busy"] += [asdict(one) | {"slowdown": one.slowdown} for one in timed_busy]
    if to_target is not None:
        note(f"training {DEFAULT} until it reaches its target")
        report["time_to_target"] = asdict(time_to_target(to_target, dataset))
    if seeds:
        config = first.changed(epochs=first.epochs if place.type == "cuda" else 1)
        apart = grouping_obstacle([config])
        what = f"one seed of {config.arch}" if apart else f"{seeds} seeds of {config.arch} as one network, and one"
        note(f"training {what} alone")
        timed = time_seeds(config, dataset, seeds)
        report["seeds"] = [asdict(one) | {"seeds_per_minute": one.seeds_per_minute} for one in timed]
    return report


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
    if report["busy"]:
        _show_busy(report["busy"])
    if target := report["time_to_target"]:
        result = "reached" if target["reached"] else "not reached"
        say(f"{target['target']:g}% {result} after {counted(target['epochs'], 'epoch')}, {target['seconds']:.1f} s")
    for timed in report["seeds"]:
        epochs = counted(timed["epochs"], "epoch")
        words = f"{counted(timed['copies'], 'seed')} {timed['way']}, {epochs} each: {timed['seconds']:.1f} s"
        say(f"{words} after {timed['preparing']:.1f} s, {timed['seeds_per_minute']:.1f} a minute")
        if timed["note"]:
            note(f"seeds of {timed['arch']} are trained one after the other, because {timed['note']}")
    machine = report["environment"]
    peak = f"matrix peak {report['matrix_peak_gflops']:,.0f} GFLOP/s"
    # The example comes first, and is always in fp32.
    how = f"batch {report['timings'][0]['batch_size']}, {report['timings'][-1]['precision']}"
    say(f"{machine['cpu']}, {machine['device']}, torch {machine['versions']['torch']}, {peak}, {how}")


def _show_busy(timings: Sequence[dict[str, Any]]) -> None:
    first = timings[0]
    left = max(1, first["threads"] - first["busy"])
    most, others = counted(first["threads"], "thread"), counted(first["busy"], "process", "es")
    say(f"{most} at most; busy: beside {others}; fewer: {left}, and nothing else computes")
    rows = [
        (
            timing["arch"],
            timing["loop"],
            f"{timing['ms_quiet']:.2f}",
            f"{timing['ms_busy']:.2f}",
            f"{timing['slowdown']:.2f}",
            "" if (fewer := timing["ms_on_fewer_threads"]) is None else f"{fewer:.2f}",
            "" if fewer is None else f"{timing['ms_busy'] / fewer:.2f}",
        )
        for timing in timings
    ]
    columns = ("network", "loop", "ms quiet", "ms busy", "busy to quiet", "ms quiet on fewer", "busy to that")
    say(table(columns, rows))
