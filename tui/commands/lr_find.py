"""`lr-find`: look for a learning rate."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any

import typer

from core.advice import Action, Advice, Tip
from core.errors import InvalidValue, TrainingFailed
from core.events import RunStarted
from core.training.range_curve import RATES, RangePoint, RangeTest, smoothed, suggest
from experiments.execution.runner import Runner
from tui.command_line.config_options import FromFile, FromPreset, with_config_options
from tui.command_line.following import download_progress, quietly
from tui.command_line.options import AsJson
from tui.command_line.run_plan import configure
from tui.command_line.signals import stop_on_signals
from tui.text.numbers import whole_number
from tui.text.output import keep_stdout_for_data, note, note_logs, say, say_json, table

ROWS = 24
"""Steps whose values are printed for people."""
WIDTH, HEIGHT = 76, 16
"""Characters and lines of the chart."""


def _rate(name: str, example: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise InvalidValue(name, text, RATES, hint=f"for example {example:g}") from None

    return parse


@with_config_options(after="config")
def lr_find(
    context: typer.Context,
    *,
    preset: FromPreset = None,
    config: FromFile = None,
    low: Annotated[
        float | None,
        typer.Option(
            help="The first rate [default: 1e-4; with adam, adamw and rmsprop 1e-6].",
            metavar="X",
            parser=_rate("low", 1e-4),
        ),
    ] = None,
    high: Annotated[
        float | None,
        typer.Option(
            help="The last rate [default: 10; with adam, adamw and rmsprop 1].", metavar="X", parser=_rate("high", 10)
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Steps from the first rate to the last [default: those of an epoch, and at least 100].",
            metavar="N",
            parser=whole_number("steps", 20, 100_000),
        ),
    ] = None,
    as_json: AsJson = False,
    **changes: Any,
) -> None:
    """Look for a learning rate. Trains for an epoch while it rises, and says where the loss stops falling.

    All else is as `run` would do it with the same options. No run is kept.
    """
    chosen = configure(preset, config, {field: value for field, value in changes.items() if value is not None})
    test = RangeTest.checked(chosen, low, high, steps)
    from experiments.execution.apart import find_rate

    keep_stdout_for_data()
    if not as_json:
        note_logs()
    points: list[RangePoint] = []
    with stop_on_signals("a range test is not kept") as stop:
        runner = Runner(context.obj, stop, download_progress())
        said = find_rate(runner, chosen, test)
        started = next(quietly(said))
        assert isinstance(started, RunStarted), "a test says first how it is made"
        if started.note:
            note(f"warning: {started.note}")
        total = test.steps_of(started.steps_per_epoch)
        with closing(_Progress(total, shown=not as_json)) as progress:
            for step in quietly(said):
                assert isinstance(step, RangePoint)
                points.append(step)
                progress.show(step)
    found = suggest(points)
    if as_json:
        say_json(_record(started, test, total, points, found))
    else:
        _print(started, test, points, found)
    if found is None:
        hint = Advice(
            "let it begin lower, or end higher: ", Tip(Action.OPTION, "low"), ", ", Tip(Action.OPTION, "high")
        )
        raise TrainingFailed("the loss did not fall at any rate", hint=hint)


class _Progress:
    """tqdm's line, where it is wanted."""

    def __init__(self, total: int, *, shown: bool) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, disable=not shown, unit="step")

    def show(self, point: RangePoint) -> None:
        self._bar.set_description_str(f"lr={point.rate:.2g} loss={point.loss:.4g}", refresh=False)
        self._bar.update()

    def close(self) -> None:
        self._bar.close()


def _record(
    started: RunStarted, test: RangeTest, total: int, points: Sequence[RangePoint], found: float | None
) -> dict[str, Any]:
    means = smoothed(points)
    return {
        "suggestion": found,
        "low": test.low,
        "high": test.high,
        "steps": total,
        "config": started.config,
        "spec": started.spec,
        "total_params": started.total_params,
        "dataset": started.dataset,
        "device": started.device,
        "engine": started.engine,
        "points": [{**asdict(point), "smoothed": mean} for point, mean in zip(points, means, strict=True)],
    }


def _print(started: RunStarted, test: RangeTest, points: Sequence[RangePoint], found: float | None) -> None:
    from tui.drawing.plain_text import has_braille
    from tui.drawing.rate_plots import range_plot

    plot = range_plot(points, (test.low, test.high), found, ascii_only=not has_braille(sys.stdout.encoding))
    for line in plot.lines(WIDTH, HEIGHT):
        say("".join(text for text, _ in line).rstrip())
    means = smoothed(points)
    kept = range(0, len(points), max(1, len(points) // ROWS))
    rows = [(f"{points[at].rate:.4g}", f"{points[at].loss:.4f}", f"{means[at]:.4f}") for at in kept]
    say()
    say(table(("learning rate", "loss", "smoothed"), rows))
    say()
    if found is not None:
        config = started.config
        where = f"{config['arch']} on {started.dataset}, {config['optimizer']}, batch size {config['batch_size']}"
        say(f"suggestion: {found:g}, where the fall of the loss ends ({where})")
