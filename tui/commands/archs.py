"""`archs`, `archs show` and `presets`: what there is to start from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from core.config import MAX_PARAMS, TrainConfig, field_help
from core.data.task_of import task_of
from core.dataset_names import name_of
from core.errors import InvalidValue, SpecError, printable
from core.models.spec import EXERCISE, GRAMMAR, REGISTRY, find, is_user_module
from core.models.summary import Summary, summarize
from experiments.presets.loader import load_preset, preset_names
from tui.text.output import note, say, say_json, table
from tui.text.wording import arch_in_short, reported_in_words, unused_in_words

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ForDataset = Annotated[
    str,
    typer.Option(
        "--dataset", help="What the network is for: its images and classes; MNIST's by default.", metavar="NAME|PATH"
    ),
]

app = typer.Typer(
    add_completion=False,
    help="Architectures: list them, show one, write a module as a spec.",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def archs(context: typer.Context, as_json: AsJson = False, dataset: ForDataset = "auto") -> None:
    if context.invoked_subcommand is not None:
        return
    found: list[dict[str, Any]] = []
    rows: list[tuple[object, ...]] = []
    for name in REGISTRY:
        source = "exercise" if name in EXERCISE else "mnist-tui"
        try:
            s = _summary(name, False, dataset)
        except SpecError as error:  # too small for the images
            found.append({"name": name, "spec": None, "problem": error.allowed, "source": source})
            rows.append((name, "-", "-", "-", source, "-", error.allowed))
            continue
        found.append({**_totals(s), "name": name, "source": source})
        rows.append((name, s.total_params, s.macs, s.receptive_field, source, _fits(s), s.spec))
    if as_json:
        say_json(found)
        return
    say(table(("name", "parameters", "MACs", "field", "source", "budget", "spec"), rows))
    say()
    say(table(("layer", "what it is"), GRAMMAR.items()))


@app.command("show")
def show(
    arch: Annotated[str, typer.Argument(help="A name, a spec or FILE.py:CLASS.", metavar="NAME|SPEC|FILE.py:CLASS")],
    as_json: AsJson = False,
    run_whole_file: Annotated[bool, typer.Option("--run-whole-file", help=field_help("run_whole_file"))] = False,
    dataset: ForDataset = "auto",
) -> None:
    """Show an architecture layer by layer."""
    summary = _summary(arch, run_whole_file, dataset)
    if as_json:
        layers = [
            {
                "layer": layer.label,
                "kind": layer.kind,
                "output_shape": list(layer.output_shape),
                "params": layer.params,
                "macs": layer.macs,
                "receptive_field": layer.receptive_field,
                "path": layer.path,
            }
            for layer in summary.rows
        ]
        say_json({**_totals(summary), "layers": layers, "unused": dict(summary.unused), "remarks": summary.remarks})
        return
    rows = [
        (
            row.label,
            " x ".join(map(str, row.output_shape)) if any(row.output_shape) else "-",
            row.params,
            row.macs,
            row.receptive_field,
        )
        for row in summary.rows
    ]
    say(table(("layer", "output", "parameters", "MACs", "field"), rows))
    say()
    # A user's own module has no spec, only its name.
    say(summary.spec if summary.name == summary.spec else f"{summary.name or 'spec'}: {summary.spec}")
    left = MAX_PARAMS - summary.total_params
    room = f"{left:,} left" if left >= 0 else f"{-left:,} over"
    say(f"{summary.total_params:,} of {MAX_PARAMS:,} parameters, {room}; {summary.macs:,} MACs an image")
    if summary.unused:
        say(unused_in_words(summary))
    for remark in summary.remarks:
        say(remark)


@app.command("translate")
def translate(
    arch: Annotated[str, typer.Argument(help="The module, as FILE.py:CLASS.", metavar="FILE.py:CLASS")],
    as_json: AsJson = False,
    run_whole_file: Annotated[bool, typer.Option("--run-whole-file", help=field_help("run_whole_file"))] = False,
    dataset: ForDataset = "auto",
) -> None:
    """Print the spec that equals a module of your own, or which of its layers have none."""
    if not is_user_module(arch):
        raise InvalidValue("arch", arch, "is not a module of your own", hint="write FILE.py:CLASS")
    from experiments.execution.apart import find_spec

    found = find_spec(arch, run_whole_file=run_whole_file, dataset=dataset)
    if as_json:
        say_json({"name": arch, **asdict(found)})
        return
    if found.spec is None:
        say(f"No spec equals {arch_in_short(arch)}. What stands in the way:")
    for line in found.obstacles:
        say(f"  {printable(line)}")
    if found.spec is not None:
        say(found.spec)
    for text in found.notes:
        note(f"note: {text}")


def presets(as_json: AsJson = False) -> None:
    """List the presets."""
    loaded = [load_preset(name) for name in preset_names()]
    if as_json:
        say_json(
            [
                {
                    "name": preset.name,
                    "description": preset.description,
                    "config": preset.config.model_dump(),
                    "reported": preset.reported,
                }
                for preset in loaded
            ]
        )
        return
    rows = [(p.name, p.config.arch, p.config.epochs, reported_in_words(p.reported), p.description) for p in loaded]
    say(table(("preset", "arch", "epochs", "reported", "description"), rows))


def _summary(arch: str, run_whole_file: bool, dataset: str) -> Summary:
    values = {"arch": arch, "run_whole_file": run_whole_file, "dataset": dataset, "budget": False}
    if not is_user_module(arch):
        task = task_of(str(TrainConfig.checked({"dataset": dataset}).dataset))
        return summarize(find(arch, task), task, name_of(dataset))
    from experiments.execution.apart import examine

    return examine(TrainConfig.checked(values)).summary


def _totals(summary: Summary) -> dict[str, Any]:
    return {
        "name": summary.name,
        "spec": summary.spec,
        "total_params": summary.total_params,
        "trainable_params": summary.trainable_params,
        "macs": summary.macs,
        "receptive_field": summary.receptive_field,
        "within_budget": summary.within_budget(),
    }


def _fits(summary: Summary) -> str:
    return "fits" if summary.within_budget() else "over"
