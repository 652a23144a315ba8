"""Accuracy against parameters on one data set: the results of a home, on full MNIST beside published ones.

A group is the mean of its runs after the last epoch with the 95 % interval of that mean, over seeds; a single run is
its one accuracy with Wilson's interval, over test images. What others publish are single runs at the epoch that was
best on the test set, which is optimistic, with no interval. Where they give a second number, of the last epoch or a
mean, it is a point of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from experiments.results.groups import Group, GroupMember, all_groups
from experiments.runs.row import Status
from experiments.runs.store import Store

DATASET, TEST_IMAGES = "mnist", 10_000
FLOOR = 0.988
"""Accuracies below it are left out of a chart."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """A network below 20,000 parameters as its author reports it.

    `best` is the accuracy of the epoch that was best on the test set; `second` a second number that is reported beside
    it, of the last epoch or the mean of several runs, where there is one. `source` is the repository and `run` says
    which of its runs; what nobody has found again is unknown.
    """

    params: int
    best: float
    second: float | None = None
    source: str = UNKNOWN
    run: str = UNKNOWN


PUBLISHED: tuple[PublishedResult, ...] = (
    PublishedResult(
        697,
        0.9903,
        source="github.com/JoshWarn/Parameter-Efficient-MNIST",
        run="697.0_mnist_0.9903.h5, of about 700",
    ),
    PublishedResult(
        1_936,
        0.9910,
        source="github.com/ruslangrimov/mnist-minimal-model",
        run="folder 1936, in its file's name 0.9913",
    ),
    PublishedResult(4_968, 0.9945, run="ERA_v4_MNIST_model_S6, model v3: epoch 14 of 15"),
    PublishedResult(6_750, 0.9950),
    PublishedResult(
        7_076,
        0.9955,
        0.9952,
        source="github.com/nikshrimali/TSAI_EVA",
        run="Assignment-5, step 4: the best epoch of 15 on its own page, and another number for it on the first one",
    ),
    PublishedResult(8_172, 0.9957),
    PublishedResult(
        9_768,
        0.9960,
        0.9957,
        source="github.com/woncoh1/era1",
        run="S6/P2: the best and the last of 19 epochs",
    ),
    PublishedResult(9_900, 0.9961),
    PublishedResult(14_372, 0.9958, 0.9956),
    PublishedResult(
        18_594,
        0.9960,
        0.9958,
        source="github.com/piygr/s6erav1",
        run="README.md: epochs 17 and 20, the last",
    ),
)

Kind = Literal["group", "run", "published", "published_second"]


@dataclass(frozen=True, slots=True)
class Point:
    """`accuracy` and its interval are fractions; `n` runs; `id` is that of the group or run, empty for a published one,
    whose `label` is its source.

    A point is on the Pareto front when no other has at most its parameters and at least its accuracy."""

    kind: Kind
    label: str
    id: str
    params: int
    accuracy: float
    low: float | None
    high: float | None
    n: int
    on_front: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def frontier(store: Store, dataset: str = DATASET) -> list[Point]:
    """Every group and every single run of the home that was finished on all of a data set, and for full MNIST the
    published results, by number of parameters. Groups whose runs differ in more than their seed count as single
    runs."""
    points = _published_points() if dataset == DATASET else []
    for group in all_groups(store):
        if group.varying():
            points += [point for member in group.members if (point := _run_point(member, dataset)) is not None]
        elif (found := _group_point(group, dataset)) is not None:
            points.append(found)
    for row, status in store.rows():
        if not row.group_id and status is Status.FINISHED and row.dataset == dataset:
            point = _run_point(GroupMember.of(store.run(row.run_id)), dataset)
            points += [point] if point is not None else []
    return with_front(points)


def _published_points() -> list[Point]:
    kinds: tuple[Kind, Kind] = ("published", "published_second")
    return [
        Point(kind, result.source, "", result.params, accuracy, None, None, 1)
        for result in PUBLISHED
        for kind, accuracy in zip(kinds, (result.best, result.second), strict=True)
        if accuracy is not None
    ]


def with_front(points: Sequence[Point]) -> list[Point]:
    """The points by number of parameters, those of the Pareto front marked; of equal ones the first."""
    ordered = sorted(points, key=lambda point: (point.params, -point.accuracy))
    marked, best = [], 0.0
    for point in ordered:
        marked.append(replace(point, on_front=point.accuracy > best))
        best = max(best, point.accuracy)
    return marked


def _group_point(group: Group, dataset: str) -> Point | None:
    sample = group.sample("final")
    if sample is None or not is_on_all(group.finished[0], dataset):
        return None
    label = group.name or _arch(group.finished[0])
    params = _params(group.finished[0])
    if sample.n == 1:
        return _run_point(group.finished[0], dataset)
    return Point("group", label, group.id, params, sample.mean, sample.low, sample.high, sample.n)


def _run_point(member: GroupMember, dataset: str) -> Point | None:
    from experiments.statistics.descriptive import share_of

    final = member.score("final")
    started = member.view.started
    if final is None or started is None or not is_on_all(member, dataset):
        return None
    interval = share_of(round(final * started.test_images), started.test_images)
    label = member.name or _arch(member)
    return Point("run", label, member.run_id, _params(member), final, interval.low, interval.high, 1)


def is_on_all(member: GroupMember, dataset: str) -> bool:
    """Whether a run is trained and scored on all images of a data set."""
    started = member.view.started
    return (
        started is not None
        and started.dataset == dataset
        and (started.test_images == TEST_IMAGES or dataset != DATASET)
        and not any(member.config.get(limit) for limit in ("limit_train", "limit_test"))
    )


def _params(member: GroupMember) -> int:
    return member.view.started.total_params if member.view.started is not None else 0


def _arch(member: GroupMember) -> str:
    arch = str(member.config.get("arch", ""))
    return arch if len(arch) <= 24 else f"{arch[:21]}..."
