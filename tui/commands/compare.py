"""`compare`: whether runs or groups differ by more than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.errors import shown
from experiments.locations import Locations
from experiments.runs.store import Store
from experiments.statistics.digits import in_digits
from tui.text.output import percent, say, say_json, table

if TYPE_CHECKING:
    from experiments.results.compare import ComparisonReport


def compare(
    context: typer.Context,
    run: Annotated[
        list[str], typer.Argument(help="Runs or groups; each is compared with the first.", metavar="RUN...")
    ],
    score: Annotated[
        Literal["final", "best", "selected"],
        typer.Option(
            help="Which test accuracy to compare: of the last epoch (final), of the best one (best), or of the "
            "one chosen on held-out images (selected)."
        ),
    ] = "final",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether runs or groups differ by more than chance. Prints difference, 95% interval and verdict."""
    from experiments.results.compare import compare as compare_all

    locations: Locations = context.obj
    report = compare_all(Store(locations.home), run, score)
    if as_json:
        say_json(report.to_json())
        return
    _say_subjects(report)
    if report.note:
        say()
        say(report.note)
    for comparison in report.comparisons:
        say()
        say(comparison.in_words())
        if comparison.disagreements is not None:
            first, second = comparison.disagreements
            say(
                f"  test images that only {comparison.first.label} gets right: {first}, "
                f"only {comparison.second.label}: {second}"
            )
        for note in comparison.notes:
            say(f"  {note}")


def _say_subjects(report: ComparisonReport) -> None:
    rows = []
    for subject in report.subjects:
        sample, reached = report.sample(subject), subject.group.reached()
        deviation = None if sample.sd is None else f"{100 * sample.sd:.3f}"
        interval = "-" if sample.low is None else f"{percent(sample.low)} to {percent(sample.high)}"
        target = f"{reached.count} of {reached.n}"
        rows.append((subject.label, str(sample.n), percent(sample.mean), deviation, interval, target))
    say(table(("what", "n", report.score, "deviation", "95% interval", "at target"), rows))
    differences = report.config_differences()
    say()
    if differences:
        cells = [(field, *(shown(in_digits(value), 40) for value in values)) for field, values in differences.items()]
        say(table(("config", *(subject.label for subject in report.subjects)), cells))
    else:
        say("their configs differ in nothing but the seed")
