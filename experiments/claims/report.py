"""The report on the claims: a Markdown page with charts beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from core.advice import Action, Tip
from core.errors import InvalidValue, StorageError
from core.history import EARLY_ACCURACY, EARLY_EPOCHS
from core.storage.files import open_regular, replacing
from experiments.claims.rules import ARMS, TARGET, ClaimFinding, reaches_target
from experiments.claims.study import Results
from experiments.reports.characters import well_formed
from experiments.reports.svg_chart import ChartSeries, line_chart, percent_tick
from experiments.results.groups import Group, ScoreKind, accuracy
from experiments.statistics.descriptive import Sample

TITLE = "# The six claims of the exercise, tested"
CURVES = ("conv9", "conv5", "dropout-0.05", "dropout-0.1")
"""The arms whose accuracy by epoch is drawn."""


def check_report_path(path: Path) -> None:
    """Raise `InvalidValue` when a report cannot be written there, or would replace a file that is not one."""
    if path.suffix != ".md":
        raise InvalidValue("output", str(path), "must end in .md", hint=Tip(Action.EXAMPLE, "output", "claims.md"))
    if not path.parent.is_dir():
        raise InvalidValue("output", str(path), f"there is no folder {path.parent}", hint="make it, or name another")
    try:
        with open_regular(path, follow_link=True) as file:
            is_ours = file.read(len(TITLE)) == TITLE.encode()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidValue("output", str(path), f"{error.strerror}", hint="name a new file") from error
    if not is_ours:
        raise InvalidValue("output", str(path), "is another file, which would be lost", hint="name a new file")


def write_report(results: Results, path: Path) -> None:
    """Write the page and its charts, whose names begin with the page's.

    Raises:
        StorageError: when they cannot be written.
    """
    charts = charts_of(results)
    files = {path.with_name(f"{path.stem}-{name}.svg"): text for name, text in charts.items()}
    files[path] = markdown(results, {name: f"{path.stem}-{name}.svg" for name in charts})
    for file, text in files.items():
        try:
            with replacing(file) as part:
                part.write_bytes(well_formed(text))
        except OSError as error:
            reason = f"{file}: cannot be written: {error.strerror}"
            raise StorageError(reason, hint=Tip(Action.CHOOSE, "output", "another place")) from error


def markdown(results: Results, charts: dict[str, str]) -> str:
    """The page; `charts` are the files of its images by name."""
    return "\n".join([*_lines(results, charts), ""])


def _lines(results: Results, charts: dict[str, str]) -> Iterator[str]:
    design = results.design
    yield from (TITLE, "")
    if reasons := design.shortcomings():
        yield from (f"**This is no evidence for or against the claims: {'; '.join(reasons)}.**", "")
    if not results.is_complete:
        yield from ("**Not all runs have ended; the numbers are preliminary.**", "")
    yield from (
        f"{_seeds(design.seeds)} of each recipe, {design.epochs}, "
        f"{design.base.dataset}, scored on the test images after every epoch. Made with `mnist-tui claims`.",
        "",
        *_table(
            ("", "claim", "measured", "n", "verdict"),
            [
                (str(claim.number), claim.text, finding.measured, str(finding.n), f"**{finding.verdict}**")
                for claim, finding in results.findings
            ],
        ),
        "",
        *_power_lines(results),
        "## How they are judged",
        "",
        *(f"{claim.number}. {claim.rule}." for claim, _ in results.findings),
        "",
        "## Recipes",
        "",
        *_recipes(results),
        "",
        f"![Accuracy by epoch]({charts['curves']})",
        "",
        f"![Best and final accuracy]({charts['recipes']})",
        "",
        "## The early signal",
        "",
        *_confusion(results.findings[2][1]),
        "",
        f"![The early signal]({charts['early']})",
        "",
        "## Made on",
        "",
    )
    for one in results.environments:
        revision = f", revision {one['git_revision']}" if one["git_revision"] else ""
        versions = f"Python {one['python']}, torch {one['torch']}, mnist-tui {one['mnist-tui']}{revision}"
        yield f"- {one['cpu']}, {one['device']}: {versions}"


def _power_lines(results: Results) -> Iterator[str]:
    """How many seeds would tell, of the claims where they do not."""
    words = {claim.number: results.would_tell(claim, finding) for claim, finding in results.findings}
    if any(words.values()):
        yield from ("## What more seeds would tell", "")
        yield from (f"- Claim {number}: {said}." for number, said in words.items() if said)
        yield ""


def _seeds(count: int) -> str:
    return f"{count} seeds (0 to {count - 1})" if count > 1 else "One seed (0)"


def _recipes(results: Results) -> Iterator[str]:
    rows = []
    for arm in ARMS:
        group = results.groups[arm.name]
        reached = sum(map(reaches_target, group.decided))
        final, best = group.sample("final"), group.sample("best")
        changes = ", ".join(f"{field} {value}" for field, value in arm.changes.items()) or "as the exercise"
        what = f"{arm.repeats} once more, same seeds" if arm.repeats else changes
        count = f"{reached} of {len(group.decided)}"
        rows.append((arm.name, what, str(len(group.finished)), _sample(final), _sample(best), count))
    yield from _table(("recipe", "changed", "n", "final", "best (optimistic)", f"reached {TARGET:g}%"), rows)
    lost = [member for group in results.groups.values() for member in group.unfinished]
    if lost:
        yield ""
        yield "Not in the means: " + ", ".join(f"{one.name or one.run_id} ({one.status})" for one in lost) + "."


def _sample(sample: Sample | None) -> str:
    if sample is None:
        return "-"
    if sample.sd is None or sample.low is None or sample.high is None:
        return f"{100 * sample.mean:.2f}%"
    interval = f"{100 * sample.low:.2f} to {100 * sample.high:.2f}"
    return f"{100 * sample.mean:.2f}% (deviation {100 * sample.sd:.3f}, interval {interval})"


def _confusion(finding: ClaimFinding) -> Iterator[str]:
    counts = finding.details
    yield from _table(
        ("", f"reached {TARGET:g}%", "did not"),
        [
            (
                f"above {100 * EARLY_ACCURACY:.2f}% within {EARLY_EPOCHS} epochs",
                str(counts["signal_and_reached"]),
                str(counts["signal_only"]),
            ),
            ("not", str(counts["reached_only"]), str(counts["neither"])),
        ],
    )
    yield from (
        "",
        f"{finding.measured[0].upper()}{finding.measured[1:]}; within recipes p = {counts['p_within_recipes']:.3g}.",
    )


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{' --- |' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def charts_of(results: Results) -> dict[str, str]:
    """Three charts as SVG, by name."""
    target = (TARGET / 100, f"{TARGET:g}%")
    curves = [_curve(name, results.groups[name]) for name in CURVES if results.groups[name].finished]
    lows = [low for series in curves for low in list(series.low or ())[EARLY_EPOCHS - 1 :] if low is not None]
    highs = [high for series in curves for high in series.high or () if high is not None]
    y_range = (min([*lows, TARGET / 100]) - 0.0005, max([*highs, TARGET / 100]) + 0.0005)
    arms = [arm.name for arm in ARMS if results.groups[arm.name].finished]
    return {
        "curves": line_chart(
            curves,
            title="Test accuracy by epoch: median and quartiles over seeds",
            x_label="epoch",
            y_label="test accuracy",
            y_format=percent_tick,
            y_range=y_range,
            target=target,
        ),
        "recipes": line_chart(
            [
                _means(results, arms, "best", "best of all epochs (optimistic)", -0.09),
                _means(results, arms, "final", "after the last epoch", 0.09),
            ],
            title="Mean accuracy with its 95% interval",
            x_label="recipe",
            y_label="test accuracy",
            y_format=percent_tick,
            x_ticks=list(enumerate(arms)),
            target=target,
        ),
        "early": line_chart(
            list(_early(results)),
            title=f"Best of the first {EARLY_EPOCHS} epochs, and best of all",
            x_label=f"best within {EARLY_EPOCHS} epochs",
            y_label="best of all epochs",
            x_format=percent_tick,
            y_format=percent_tick,
            target=target,
        ),
    }


def _curve(name: str, group: Group) -> ChartSeries:
    curve = group.curve(accuracy)
    spreads = list(curve.values())
    return ChartSeries(
        f"{name}, n = {len(group.finished)}",
        list(curve),
        [at.median for at in spreads],
        [at.q1 for at in spreads],
        [at.q3 for at in spreads],
    )


def _means(results: Results, arms: Sequence[str], score: ScoreKind, label: str, offset: float) -> ChartSeries:
    samples = [results.groups[arm].sample(score) for arm in arms]
    return ChartSeries(
        label,
        [place + offset for place in range(len(arms))],
        [None if sample is None else sample.mean for sample in samples],
        [None if sample is None else sample.low for sample in samples],
        [None if sample is None else sample.high for sample in samples],
        line=False,
    )


def _early(results: Results) -> Iterator[ChartSeries]:
    """A point for each run, by recipe."""
    for arm in ARMS:
        values = [member.view.accuracies for member in results.groups[arm.name].decided]
        points = [
            (max(found[epoch] for epoch in found if epoch <= EARLY_EPOCHS), max(found.values()))
            for found in values
            if found
        ]
        if points and not arm.repeats:
            yield ChartSeries(arm.name, [x for x, _ in points], [y for _, y in points], line=False)
