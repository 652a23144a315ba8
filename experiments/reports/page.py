"""A report of runs and groups as one HTML page that opens without a network.

This module collects the content; `templates` lay it out and escape it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from core.errors import LabError
from core.events import RunFinished
from core.models.network import summarize_config
from core.models.spec import is_user_module
from core.views import views_in_words
from experiments.reports.charts import RunCurve, charts_of
from experiments.reports.confusion import confusion_of
from experiments.reports.verdict import verdict_on
from experiments.results.groups import SCORES, Group, GroupMember, find_group, make_group
from experiments.results.subjects import Incomparable, Subject, check_comparable
from experiments.runs.config import class_names, stored_config, stored_task
from experiments.runs.environment import package_versions
from experiments.runs.folder import Run
from experiments.runs.store import Store
from experiments.statistics.descriptive import Sample
from experiments.statistics.digits import in_digits

TEMPLATES = Path(__file__).parent / "templates"
SCORE_MEANINGS = {
    "final": "test accuracy after the last epoch",
    "best": "the highest test accuracy over the epochs; choosing it by the test set makes it optimistic",
    "selected": "test accuracy of the epoch that was best on held-out training images",
}
CHART_SIZES = {"roomy": (520, 340), "tight": (380, 320)}
"""Width and height of the charts in a wide and in a narrow window: one that is made smaller has words too small."""
SHOWN_OPEN = 3
"""With more runs than this, the details of each are folded."""

LONG = 40
"""Characters of a text that may be broken between its words."""

_Cell = str | int | None
"""None is a dash."""


@dataclass(frozen=True, slots=True)
class ReportPart:
    """The runs of one reference: those of a group, or one run by itself (`group` is None then). `name` may be empty."""

    store: Store
    id: str
    name: str
    runs: tuple[Run, ...]
    group: Group | None

    @property
    def title(self) -> str:
        return self.name or self.id if self.group is None else self.group.title


@dataclass(frozen=True, slots=True)
class _Reported(Subject):
    """A subject for the checks of `compare` whose runs need not have finished."""

    @property
    def runs(self) -> tuple[GroupMember, ...]:
        return tuple(member for member in self.group.members if member.view.started is not None)


def find_part(store: Store, reference: str) -> ReportPart:
    """The group that `Store.find_group_id` finds, else the run that `Store.find` finds.

    Raises:
        RunError: when there is none.
        InvalidValue: when there are several.
    """
    group_id = store.find_group_id(reference)
    group = find_group(store, group_id) if group_id is not None else None
    if group is not None:
        members = (*group.members, *group.repeated)
        return ReportPart(store, group.id, group.name, tuple(store.run(member.run_id) for member in members), group)
    run = store.find(reference)
    return ReportPart(store, run.id, run.meta().name, (run,), None)


def report(parts: Sequence[ReportPart]) -> str:
    """The page.

    Raises:
        RunError: when the log of a run cannot be read.
    """
    runs = list({run.id: run for part in parts for run in part.runs}.values())
    members = {run.id: GroupMember.of(run) for run in runs}
    names = [part.name or part.id for part in parts]
    labels = [part.id if names.count(name) > 1 else name for part, name in zip(parts, names, strict=True)]
    curves = [
        RunCurve("" if len(parts) == 1 else label, [members[run.id].view for run in part.runs])
        for part, label in zip(parts, labels, strict=True)
    ]
    scores = _scores(members.values())
    differences = _differences(parts, labels, members)
    return (
        environment()
        .get_template("report.html")
        .render(
            title="mnist-tui: " + ", ".join(part.title for part in parts),
            differences=differences,
            scores=scores,
            score_meanings={name: text for name, text in SCORE_MEANINGS.items() if name in scores.columns},
            verdict=None if differences else verdict_on(parts[0].store, list(dict.fromkeys(part.id for part in parts))),
            groups=[group_of(part.group) for part in parts if part.group is not None],
            charts={
                kind: list(map(Markup, charts_of(curves, width=width, height=height)))  # they escape the texts in them
                for kind, (width, height) in CHART_SIZES.items()
            },
            has_bands=any(len(part.runs) > 1 for part in parts),
            runs=[_run(run, members[run.id]) for run in runs],
            is_open=len(runs) <= SHOWN_OPEN,
            version=package_versions(("mnist-tui",))["mnist-tui"],
        )
    )


def environment() -> jinja2.Environment:
    """Templates in which every value is escaped, and a name that is not given is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Texts by column, as the templates show them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def kinds(self) -> list[str]:
        """The style class of each column: numbers stand under each other, and only what is long is broken."""
        return [_kind([row[place] for row in self.rows]) for place in range(len(self.columns))]


def _kind(texts: Sequence[str]) -> str:
    if texts and all(text == "-" or _is_number(text) for text in texts):
        return "number"
    return "text" if any(len(text) > LONG for text in texts) else "short"


def _is_number(text: str) -> bool:
    return text.rstrip("%").translate(str.maketrans("", "", ".,")).isdigit()


def table_of(columns: Sequence[str], rows: Iterable[Sequence[_Cell]]) -> ReportTable:
    """Columns that have nothing in any row are left out."""
    lines = list(rows)
    used = [index for index in range(len(columns)) if any(line[index] is not None for line in lines)]
    return ReportTable([columns[index] for index in used], [[_text(line[index]) for index in used] for line in lines])


def _text(cell: _Cell) -> str:
    return "-" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def _scores(members: Iterable[GroupMember]) -> ReportTable:
    columns = ("run", "name", "status", "network", "parameters", "data", "seed", "epochs", *SCORES, "seconds")
    rows = [
        (
            member.run_id,
            member.name or None,
            str(member.status),
            member.config.get("arch"),
            member.view.started.total_params if member.view.started else None,
            member.view.started.dataset if member.view.started else None,
            None if member.seed is None else str(member.seed),
            len(member.view.epochs),
            *(percent_of(member.score(score)) for score in SCORES),
            f"{member.view.seconds:.1f}",
        )
        for member in members
    ]
    return table_of(columns, rows)


def _differences(parts: Sequence[ReportPart], labels: Sequence[str], members: Mapping[str, GroupMember]) -> str:
    """The reasons for which `compare` would refuse these parts, as a sentence; empty where there are none."""
    subjects = [
        _Reported(label, part.group or make_group(part.id, [members[part.id]]), is_group=part.group is not None)
        for part, label in zip(parts, labels, strict=True)
    ]
    subjects = [subject for subject in subjects if subject.runs]
    reasons = []
    for other in subjects[1:]:
        try:
            check_comparable([subjects[0], other], "final")
        except Incomparable as error:
            if error.field not in ("run", "score"):  # a run that stands there twice, or has no score yet
                reasons.append(error.allowed)
    if not reasons:
        return ""
    return f"These were not scored alike, so that their accuracies are not comparable: {'; '.join(reasons)}."


def group_of(group: Group) -> dict[str, Any]:
    samples = {score: sample for score in SCORES if (sample := group.sample(score)) is not None}
    columns = ("score", "n", "mean", "standard deviation, points", "95% interval of the mean (Student's t)")
    return {
        "title": group.title,
        "finished": len(group.finished),
        "runs": len(group.members),
        "scores": table_of(columns, [(score, sample.n, *_in_words(sample)) for score, sample in samples.items()]),
        "target": group.target_in_words(),
        "varying": group.varying(),
    }


def _in_words(sample: Sample) -> tuple[str | None, str | None, str | None]:
    interval = None if sample.low is None else f"{percent_of(sample.low)} to {percent_of(sample.high)}"
    return percent_of(sample.mean), None if sample.sd is None else f"{100 * sample.sd:.3f}", interval


def _run(run: Run, member: GroupMember) -> dict[str, Any]:
    started = member.view.started
    confusion = confusion_of(run, class_names(started))
    return {
        "id": run.id,
        "name": member.name,
        "note": "; ".join(filter(None, (started.note if started is not None else "", _with_views(member)))),
        "confusion": confusion,
        "picture": Markup(confusion.picture),
        "epochs": epochs_of(member),
        "layers": layers_of(run),
        "config": {key: _plain(value) for key, value in member.config.items()},
        "environment": dict(_flat(run.environment())),
    }


def _with_views(member: GroupMember) -> str:
    """The score with test-time augmentation, which stands apart from the others; empty without one."""
    end = member.view.end
    if not isinstance(end, RunFinished) or end.tta_test_accuracy is None:
        return ""
    return views_in_words(str(member.config.get("tta", "")), end.tta_test_accuracy)


def epochs_of(member: GroupMember) -> ReportTable:
    columns = ("epoch", "train loss", "train", "test loss", "test", "held-out loss", "held-out", "lr", "seconds")
    rows = [
        (
            epoch.epoch,
            f"{epoch.train_loss:.4f}",
            percent_of(epoch.train_accuracy),
            _loss(epoch.test_loss),
            percent_of(epoch.test_accuracy),
            _loss(epoch.val_loss),
            percent_of(epoch.val_accuracy),
            f"{epoch.lr:.6g}",
            f"{epoch.seconds:.1f}",
        )
        for epoch in member.view.epochs
    ]
    return table_of(columns, rows)


def layers_of(run: Run) -> dict[str, Any]:
    """The network layer by layer, or the obstacle to it."""
    try:
        config = stored_config(run)
        summary = summarize_config(config.model_copy(update={"budget": False}), stored_task(run))
    except LabError as error:
        return {"obstacle": error.message}
    if summary is None or is_user_module(config.arch):
        return {"obstacle": f"{config.arch}: a module of one's own, whose layers are known only when its code is run."}
    columns = ("layer", "output", "parameters", "MACs", "receptive field")
    rows = [
        (row.label, " x ".join(map(str, row.output_shape)), row.params, row.macs, row.receptive_field)
        for row in summary.rows
    ]
    return {
        "obstacle": "",
        "spec": summary.spec,
        "table": table_of(columns, rows),
        "field": summary.receptive_field,
        "totals": f"{summary.total_params:,} parameters, {summary.macs:,} multiply-adds an image.",
    }


def percent_of(accuracy: float | None) -> str | None:
    return None if accuracy is None else f"{100 * accuracy:.2f}%"


def _loss(loss: float | None) -> str | None:
    return None if loss is None else f"{loss:.4f}"


def _plain(value: Any) -> str:
    return in_digits(value) if isinstance(value, str | float) else json.dumps(value)


def _flat(values: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested names joined by dots."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    elif isinstance(values, list):
        yield name, " ".join(map(_plain, values))
    else:
        yield name, _plain(values)
