"""A report of runs and groups as one HTML page that opens without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import LabError
from core.models.network import summarize_config
from core.models.spec import is_user_module
from experiments.reports.charts import Curve, accuracy_chart, loss_chart
from experiments.reports.confusion import confusion_table
from experiments.reports.html import Html, element, facts, folded, joined, page, table
from experiments.results.groups import SCORES, Group, GroupMember, find_group, make_group
from experiments.results.subjects import Incomparable, Subject, check_comparable
from experiments.runs.config import stored_config
from experiments.runs.environment import package_versions
from experiments.runs.folder import Run
from experiments.runs.store import Store
from experiments.statistics.descriptive import Sample

WHAT_SCORES_ARE = {
    "final": "test accuracy after the last epoch",
    "best": "the highest test accuracy over the epochs; choosing it by the test set makes it optimistic",
    "selected": "test accuracy of the epoch that was best on held-out training images",
}
SHOWN_OPEN = 3
"""With more runs than this, the details of each are folded."""


@dataclass(frozen=True, slots=True)
class Part:
    """What was asked for by one word: a group, or a run by itself (`group` is None then). `name` is empty for none."""

    id: str
    name: str
    runs: tuple[Run, ...]
    group: Group | None

    @property
    def title(self) -> str:
        return self.name or self.id if self.group is None else self.group.title


@dataclass(frozen=True, slots=True)
class _Reported(Subject):
    """What is in a report is asked the same as what is compared, but may not have finished."""

    @property
    def runs(self) -> tuple[GroupMember, ...]:
        return tuple(member for member in self.group.members if member.view.started is not None)


def find_part(store: Store, reference: str) -> Part:
    """The group that `Store.find_group_id` finds, else the run that `Store.find` finds.

    Raises:
        RunError: when there is none.
        InvalidValue: when there are several.
    """
    group_id = store.find_group_id(reference)
    group = find_group(store, group_id) if group_id is not None else None
    if group is not None:
        members = (*group.members, *group.repeated)
        return Part(group.id, group.name, tuple(store.run(member.run_id) for member in members), group)
    run = store.find(reference)
    return Part(run.id, run.meta().name, (run,), None)


def report(parts: Sequence[Part]) -> str:
    """The page.

    Raises:
        RunError: when the log of a run cannot be read.
    """
    title = "mnist-tui: " + ", ".join(part.title for part in parts)
    runs = list({run.id: run for part in parts for run in part.runs}.values())
    members = {run.id: GroupMember.of(run) for run in runs}
    names = [part.name or part.id for part in parts]
    labels = [part.id if names.count(name) > 1 else name for part, name in zip(parts, names, strict=True)]
    curves = [
        Curve("" if len(parts) == 1 else label, [members[run.id].view for run in part.runs])
        for part, label in zip(parts, labels, strict=True)
    ]
    is_open = len(runs) <= SHOWN_OPEN
    return page(
        title,
        element("h1", title),
        element("h2", "Scores"),
        *(element("p", words) for words in _differences(parts, labels, members)),
        _scores(list(members.values())),
        *(_group(part.group, part.title) for part in parts if part.group is not None),
        element("h2", "Curves"),
        Html(accuracy_chart(curves)),
        Html(loss_chart(curves)),
        _caption(parts),
        *(_run(run, members[run.id], is_open=is_open) for run in runs),
        element("p", f"Written by mnist-tui {package_versions(('mnist-tui',))['mnist-tui']}.", class_="soft"),
    )


def _scores(members: Sequence[GroupMember]) -> Html:
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
            *(_percent(member.score(score)) for score in SCORES),
            f"{member.view.seconds:.1f}",
        )
        for member in members
    ]
    legend = element(
        "ul",
        *(element("li", element("b", name), f": {what}.") for name, what in WHAT_SCORES_ARE.items()),
        class_="soft",
    )
    return joined([table(columns, rows), legend])


def _differences(parts: Sequence[Part], labels: Sequence[str], members: Mapping[str, GroupMember]) -> Iterator[str]:
    """Why the numbers that stand beside one another cannot be held against one another, where `compare` refuses to."""
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
    if reasons:
        yield f"These were not scored alike, so that their accuracies are not comparable: {'; '.join(reasons)}."


def _group(group: Group, title: str) -> Html:
    samples = {score: sample for score in SCORES if (sample := group.sample(score)) is not None}
    rows = [(score, sample.n, *_in_words(sample)) for score, sample in samples.items()]
    what = f"{len(group.finished)} of {len(group.members)} runs finished"
    parts = [element("h3", f"Group {title}: {what}")]
    if rows:
        columns = ("score", "n", "mean", "standard deviation, points", "95% interval of the mean (Student's t)")
        parts.append(table(columns, rows))
    if target := group.target_in_words():
        parts.append(element("p", f"Target: {target}. The interval is Wilson's."))
    if varying := group.varying():
        words = f"Its runs differ in {', '.join(varying)}: these are not numbers of one recipe."
        parts.append(element("p", words))
    return joined(parts)


def _in_words(sample: Sample) -> tuple[str, str | None, str | None]:
    interval = None if sample.low is None else f"{_percent(sample.low)} to {_percent(sample.high)}"
    return _percent(sample.mean) or "-", None if sample.sd is None else f"{100 * sample.sd:.3f}", interval


def _caption(parts: Sequence[Part]) -> Html:
    words = "Losses and accuracies on training images are running means over the epoch, while the weights change."
    if any(len(part.runs) > 1 for part in parts):
        words += " Of a group the line is the median and the band is between the quartiles."
    return element("p", words, class_="soft")


def _run(run: Run, member: GroupMember, *, is_open: bool) -> Html:
    heading = " ".join(filter(None, (f"Run {run.id}", member.name)))
    view = member.view
    parts = [element("h2", heading)]
    if view.started is not None and view.started.note:
        parts.append(element("p", f"Note: {view.started.note}"))
    parts.append(folded("Test images by class and prediction", _confusion(run), is_open=is_open))
    parts.append(folded("Epochs", _epochs(member), is_open=is_open))
    parts.append(folded("Layers", *_layers(run), is_open=is_open))
    parts.append(folded("Config", facts({key: _plain(value) for key, value in member.config.items()})))
    parts.append(folded("Environment", facts(dict(_flat(run.environment())))))
    return joined(parts)


def _confusion(run: Run) -> Html:
    try:
        kept = run.load_predictions()
    except LabError as error:
        return element("p", error.message)
    if kept is None:
        return element("p", "The run has no predictions: it has not finished, or an earlier version made it.")
    return confusion_table(kept.labels.tolist(), kept.final.tolist())


def _epochs(member: GroupMember) -> Html:
    columns = ("epoch", "train loss", "train", "test loss", "test", "held-out loss", "held-out", "lr", "seconds")
    rows = [
        (
            epoch.epoch,
            f"{epoch.train_loss:.4f}",
            _percent(epoch.train_accuracy),
            _loss(epoch.test_loss),
            _percent(epoch.test_accuracy),
            _loss(epoch.val_loss),
            _percent(epoch.val_accuracy),
            f"{epoch.lr:.6g}",
            f"{epoch.seconds:.1f}",
        )
        for epoch in member.view.epochs
    ]
    return table(columns, rows)


def _layers(run: Run) -> Iterator[Html]:
    try:
        config = stored_config(run)
        summary = summarize_config(config.model_copy(update={"budget": False}))
    except LabError as error:
        yield element("p", error.message)
        return
    if summary is None or is_user_module(config.arch):
        yield element("p", f"{config.arch}: a module of one's own, whose layers are known only when its code is run.")
        return
    rows = [
        (row.label, " x ".join(map(str, row.output_shape)), row.params, row.macs, row.receptive_field)
        for row in summary.rows
    ]
    yield element("p", element("code", summary.spec))
    yield table(("layer", "output", "parameters", "MACs", "receptive field"), rows)
    yield element("p", f"{summary.total_params:,} parameters, {summary.macs:,} multiply-adds an image.")


def _percent(accuracy: float | None) -> str | None:
    return None if accuracy is None else f"{100 * accuracy:.2f}%"


def _loss(loss: float | None) -> str | None:
    return None if loss is None else f"{loss:.4f}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _flat(values: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested names joined by dots."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    elif isinstance(values, list):
        yield name, " ".join(map(_plain, values))
    else:
        yield name, _plain(values)
