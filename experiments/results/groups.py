"""Groups: runs that differ in nothing but their seed, as one result.

Only finished runs count towards a score. The others are named, and a run that failed counts as one that did not reach
the target, unless it had reached it before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from core.events import EpochFinished, RunFinished
from experiments.runs.recipe import FREE_FIELDS, differing_fields, recipe_of
from experiments.runs.row import RunRow, Status
from experiments.runs.seeds import name_of_group
from experiments.runs.view import RunView

if TYPE_CHECKING:
    from experiments.runs.folder import Run
    from experiments.runs.store import Store
    from experiments.statistics.descriptive import Sample, Share, Spread

ScoreKind = Literal["final", "best", "selected"]
"""Test accuracy of the last epoch, the highest over epochs (optimistic), or of the epoch chosen on held-out images."""
SCORES: tuple[ScoreKind, ...] = get_args(ScoreKind)


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A run of a group."""

    run_id: str
    name: str
    status: Status
    view: RunView
    config: Mapping[str, Any]

    @classmethod
    def of(cls, run: Run) -> GroupMember:
        view = run.view()
        config = recipe_of(run, dict(view.config) or run.config())
        return cls(run.id, run.meta().name, run.status(), view, config)

    @property
    def seed(self) -> int | None:
        seed = self.config.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def end(self) -> RunFinished | None:
        """The event with which it finished; None before that, and while it is being extended."""
        end = self.view.end
        return end if isinstance(end, RunFinished) and self.status is Status.FINISHED else None

    @property
    def outcome(self) -> str:
        """A key of recipe, seed and final weights: equal for repetitions of a run. The run's id before it finishes."""
        if self.end is None:
            return self.run_id
        recipe = {field: value for field, value in self.config.items() if field not in FREE_FIELDS}
        return f"{sorted(recipe.items())} {self.seed} {self.end.weights_sha256}"

    def score(self, score: ScoreKind) -> float | None:
        """A fraction; None for a run that has not finished or has no such score."""
        return getattr(self.end, f"{score}_test_accuracy", None)


@dataclass(frozen=True, slots=True)
class Group:
    """Runs under one id, by seed. One with the seed and the final weights of another is a repetition of it: it says
    nothing about other seeds and does not count."""

    id: str
    members: tuple[GroupMember, ...]
    repeated: tuple[GroupMember, ...] = ()

    @property
    def name(self) -> str:
        """The name given to `run --seeds`, which the names of its runs begin with. Empty for none."""
        return name_of(self.members)

    @property
    def title(self) -> str:
        """Its name, with the id: the same name may have been given to several."""
        return titled(self.id, self.name)

    @property
    def finished(self) -> tuple[GroupMember, ...]:
        return tuple(member for member in self.members if member.end is not None)

    @property
    def decided(self) -> tuple[GroupMember, ...]:
        """Runs that have finished or failed, so that their scores are final."""
        return tuple(member for member in self.members if member.status in (Status.FINISHED, Status.FAILED))

    @property
    def unfinished(self) -> tuple[GroupMember, ...]:
        """Still live, stopped, failed or crashed."""
        return tuple(member for member in self.members if member.end is None)

    def varying(self) -> list[str]:
        """The config fields, of those that make a recipe, in which the runs differ; none, in a group of seeds."""
        return differing_fields([member.config for member in self._begun(self.members)])

    @staticmethod
    def _begun(members: Sequence[GroupMember]) -> Sequence[GroupMember]:
        """Those of the members that have begun, or all where none has: one that waits does not know yet which data set
        ``auto`` is."""
        return [member for member in members if member.view.config] or members

    def shared_config(self) -> dict[str, Any]:
        """The config fields that have one value in all of the runs, and these values."""
        first, *others = [member.config for member in self._begun((*self.members, *self.repeated))] or [{}]
        return {
            field: value
            for field, value in first.items()
            if all(field in config and repr(config[field]) == repr(value) for config in others)
        }

    def scores(self, score: ScoreKind) -> list[float]:
        return [value for member in self.finished if (value := member.score(score)) is not None]

    def sample(self, score: ScoreKind) -> Sample | None:
        """Mean, deviation and interval of a score; None when no run has it."""
        from experiments.statistics.descriptive import describe

        values = self.scores(score)
        return describe(values, within=(0.0, 1.0)) if values else None

    def target(self) -> float | None:
        """The target accuracy in percent; None when the runs have different ones."""
        targets = {member.config.get("target") for member in self.members}
        target = next(iter(targets)) if len(targets) == 1 else None
        return float(target) if isinstance(target, int | float) else None

    def epochs_to_target(self) -> list[int | None]:
        """The first epoch at the target of each run that finished or failed, None for never; on the held-out images
        where there are some, else on the test images."""
        return [member.view.first_epoch_at_target for member in self.decided]

    def reached(self) -> Share:
        """The share of the runs that came to the target in some epoch."""
        from experiments.statistics.descriptive import share_of

        epochs = self.epochs_to_target()
        return share_of(sum(epoch is not None for epoch in epochs), len(epochs))

    def median_epoch_to_target(self) -> float | None:
        """None when half of the runs or more never reach it."""
        from experiments.statistics.descriptive import median_with_never

        return median_with_never(self.epochs_to_target())

    def target_in_words(self) -> str:
        """The share of runs that reached the target, and when. Empty while none has ended.

        For example ``99.4% reached by 2 of 3 (95% interval 21% to 94%), half of them by epoch 2``.
        """
        reached, target, median = self.reached(), self.target(), self.median_epoch_to_target()
        if reached.low is None or reached.high is None:
            return ""
        interval = f"95% interval {100 * reached.low:.0f}% to {100 * reached.high:.0f}%"
        never = "half or more never did, so no median epoch"
        when = never if median is None else f"half of them by epoch {median:g}"
        what = "their own targets" if target is None else f"{target:g}%"
        return f"{what} reached by {reached.count} of {reached.n} ({interval}), {when}"

    def curve(self, value: Callable[[EpochFinished], float | None]) -> dict[int, Spread]:
        """Median and band of a value over the finished runs, by epoch."""
        return by_epoch([member.view for member in self.finished], value)

    def to_json(self) -> dict[str, Any]:
        """The group as programs see it. Accuracies are fractions, `target` is in percent; of a score that no run has
        nothing is known, and it is None."""
        samples = {f"{score}_test_accuracy": self.sample(score) for score in SCORES}
        reached = {
            "percent": self.target(),
            **asdict(self.reached()),
            "median_epoch": self.median_epoch_to_target(),
            "epochs": self.epochs_to_target(),
        }
        return {
            "group_id": self.id,
            "name": self.name,
            "runs": len(self.members) + len(self.repeated),
            "n": len(self.finished),
            **{name: None if sample is None else asdict(sample) for name, sample in samples.items()},
            "target": reached,
            "unfinished": [_named(member) for member in self.unfinished],
            "repeated": [_named(member) for member in self.repeated],
            "varying": self.varying(),
            "curves": {
                "accuracy": _points(self.curve(accuracy)),
                "train_loss": _points(self.curve(lambda event: event.train_loss)),
            },
        }


def accuracy(event: EpochFinished) -> float | None:
    """The accuracy of an epoch on the held-out images where there are some, else on the test images."""
    return event.test_accuracy if event.val_accuracy is None else event.val_accuracy


def scored_loss(event: EpochFinished) -> float | None:
    """The loss on the images that the network is scored on."""
    return event.test_loss if event.val_loss is None else event.val_loss


def by_epoch(views: Iterable[RunView], value: Callable[[EpochFinished], float | None]) -> dict[int, Spread]:
    """Median and band of a value over the runs that have it in an epoch."""
    from experiments.statistics.descriptive import spread_of

    values: dict[int, list[float]] = {}
    for view in views:
        for event in view.epochs:
            if (found := value(event)) is not None:
                values.setdefault(event.epoch, []).append(found)
    return {epoch: spread_of(values[epoch]) for epoch in sorted(values)}


def make_group(group_id: str, members: Sequence[GroupMember]) -> Group:
    """Put runs together, the first of those that are repetitions of one another as their only one."""
    ordered = sorted(members, key=lambda member: (member.seed is None, member.seed or 0, member.run_id))
    kept: dict[str, GroupMember] = {}
    repeated: list[GroupMember] = []
    for member in ordered:
        if member.outcome in kept:
            repeated.append(member)
        else:
            kept[member.outcome] = member
    return Group(group_id, tuple(kept.values()), tuple(repeated))


def find_group(store: Store, group_id: str) -> Group | None:
    """The runs of the home that have this group id; None when there are none."""
    ids = [row.run_id for row, _ in store.rows() if row.group_id == group_id] if group_id else []
    return make_group(group_id, [GroupMember.of(store.run(run_id)) for run_id in ids]) if ids else None


def name_of(runs: Iterable[GroupMember | RunRow]) -> str:
    """The name of the group of these runs; empty for none."""
    stems = {name_of_group(run.name, run.seed) for run in runs}
    return stems.pop() if len(stems) == 1 else ""


def titled(group_id: str, name: str) -> str:
    """``base (g20260101-000000-aaaa)``, or the id of a group without a name."""
    return f"{name} ({group_id})" if name else group_id


def all_groups(store: Store) -> list[Group]:
    """Every group of the home, that of the newest run first."""
    ids: dict[str, list[str]] = {}
    for row, _ in store.rows():
        if row.group_id:
            ids.setdefault(row.group_id, []).append(row.run_id)
    return [make_group(group_id, [GroupMember.of(store.run(one)) for one in runs]) for group_id, runs in ids.items()]


def _named(member: GroupMember) -> dict[str, Any]:
    return {"run_id": member.run_id, "seed": member.seed, "status": str(member.status)}


def _points(curve: Mapping[int, Spread]) -> list[dict[str, Any]]:
    """The keys that `mnist-tui show --json` promises."""
    return [
        {
            "epoch": epoch,
            "n": spread.n,
            "least": spread.min,
            "lower": spread.q1,
            "median": spread.median,
            "upper": spread.q3,
            "greatest": spread.max,
        }
        for epoch, spread in curve.items()
    ]
