"""The plan of a sweep: the space, the fields that do not vary, the objective, sampler, pruner and number of trials."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from core.advice import Action, Advice, Tip
from core.config import TrainConfig
from core.errors import InvalidValue, OverBudget
from experiments.presets.loader import load_config_file, load_preset
from experiments.studies.dimensions import Value
from experiments.studies.objectives import check_costs, parse_objectives
from experiments.studies.space import Space, parse_value

if TYPE_CHECKING:
    from core.data.loader import Dataset

SAMPLERS = ("tpe", "random", "grid", "nsga2")
PRUNERS = ("none", "median", "halving", "early-signal")
UNSCORED_PRUNERS = ("none", "early-signal")
"""Pruners that do not compare trials, and so do with several objectives."""
NOT_COMPARED = frozenset({"device", "engine"})
"""Config fields that a study may be continued with other values of: they do not change what is searched."""
MAX_TRIALS = 100_000
MAX_JOBS = 1024
MAX_SEEDS_PER_TRIAL = 100
MAX_HELD_OUT = 5_000
"""Training images held out where nothing else is said: a tenth of them, and not more than this."""
DECIDING = (
    *("arch", "epochs", "dropout", "optimizer", "nesterov", "momentum"),
    *("schedule", "lr", "min_lr", "gamma", "warmup_epochs", "warmup", "three_phase"),
    *("cycle_momentum", "base_momentum", "max_momentum", "ema", "swa"),
)
"""The fields that decide together whether a config is allowed; each other one is allowed or not by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where trials are trained, and how many at a time; None leaves it to the executor."""

    executor: str = "local"
    jobs: int | None = None
    gpus_per_trial: float | None = None
    ray_address: str | None = None


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """The plan of a sweep.

    `base` holds what does not vary; `origin` is the option that names its preset or file, and what it names. Each trial
    is trained with `seeds_per_trial` seeds from the base's on, and scored by their mean. When all trials are done, the
    `race` best of them are trained with more seeds; 0 for none.
    """

    space: Space
    base: TrainConfig
    origin: tuple[str, str]
    objective: str = "val"
    sampler: str = "tpe"
    pruner: str = "none"
    trials: int = 20
    seeds_per_trial: int = 1
    race: int = 0
    placement: Placement = Placement()

    @property
    def objectives(self) -> tuple[str, ...]:
        """The accuracy first, then what a network costs."""
        return parse_objectives(self.objective)

    @property
    def scored_on(self) -> str:
        """The images of the objective: "val" or "test"."""
        return self.objectives[0]

    def config(self, params: Mapping[str, Value], *, seed: int = 0) -> TrainConfig:
        """The config of a trial's values, that of the first of its seeds or of a later one.

        Raises:
            InvalidValue, OverBudget.
        """
        return self.base.changed(**self.space.changes(params), **({"seed": self.base.seed + seed} if seed else {}))

    def to_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        own = {"space": self.space.to_json(), "base": self.base.model_dump(), "origin": list(self.origin)}
        return values | own | {"placement": asdict(self.placement)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """A plan as it was written down.

        Raises:
            InvalidValue, OverBudget, KeyError, TypeError, AttributeError: when it was not written by this version.
        """
        space, _ = Space.parse(values["space"])
        base = TrainConfig.checked(values["base"])
        first, second = values["origin"]
        words = {key: str(values[key]) for key in ("objective", "sampler", "pruner")}
        placement = Placement(**values.get("placement", {}))
        parse_objectives(words["objective"])
        return cls(
            space=space,
            base=base,
            origin=(str(first), str(second)),
            trials=int(values["trials"]),
            seeds_per_trial=int(values.get("seeds_per_trial", 1)),
            race=int(values.get("race", 0)),
            placement=placement,
            **words,
        )

    def difference(self, other: Self) -> str:
        """The first thing in which the two plans are different searches, in words; empty when they are one search."""
        mine, theirs = self.space.to_json(), other.space.to_json()
        for field in [*mine, *theirs]:
            if mine.get(field) != theirs.get(field):
                return f"{field} was {_searched(mine, self, field)}, now {_searched(theirs, other, field)}"
        for field in TrainConfig.model_fields:
            if field in mine or field in NOT_COMPARED:
                continue
            old, new = getattr(self.base, field), getattr(other.base, field)
            if old != new:
                return f"{field} was {old}, now {new}"
        if self.objective != other.objective:
            return f"its objective was {self.objective}, now {other.objective}"
        mine_seeds, their_seeds = self.seeds_per_trial, other.seeds_per_trial
        return "" if mine_seeds == their_seeds else f"its trials had {mine_seeds} seeds each, now {their_seeds}"

    def check(self) -> None:
        """Raise `InvalidValue` where sampler, pruner and objectives do not go together."""
        several = len(self.objectives) > 1
        if several and self.pruner not in UNSCORED_PRUNERS:
            allowed = "compares trials by one number, and the objectives are several"
            raise InvalidValue("pruner", self.pruner, allowed, hint=f"use {' or '.join(UNSCORED_PRUNERS)}")
        if self.race == 1:
            raise InvalidValue("race", 1, "a race needs at least two", hint="for example 4, or 0 for none")
        if self.race and self.trials == 1:
            raise InvalidValue(
                "race", self.race, "a race needs at least two trials", hint="let more be tried, or none race"
            )


def make_plan(origin: tuple[str, str], options: Mapping[str, str], *, objective: str, budget: bool | None) -> SweepPlan:
    """A plan from what was written on the command line, its data still to be settled.

    Args:
        origin: the option that names what to start from, and its value: ``("--preset", "modern")``.
        options: each config field's option as written, a value or a dimension of the space.
        budget: whether the two budgets hold; None for what the preset or file says.

    Raises:
        InvalidValue: for a value or a dimension that is wrong, or when nothing varies.
        OverBudget: for too many epochs.
    """
    start = start_values(origin)
    dataset = str(start.get("dataset", TrainConfig().dataset))
    if "dataset" in options:
        dataset = str(parse_value("dataset", options["dataset"]))
    space, fixed = Space.parse(options, dataset)
    if parse_objectives(objective)[0] == "val" and fixed.get("val_split") == 0:
        test = Tip(Action.SET, "objective", "test")
        hint = Advice(Tip(Action.LEAVE_OUT, "val_split"), ", or ", test, ", which is then labelled as such")
        raise InvalidValue("val_split", 0, "the objective is the accuracy on held-out images", hint=hint)
    base = _base({**start, **fixed, **({} if budget is None else {"budget": budget})}, space)
    if not space:
        examples = {"lr": "0.01:0.1:log", "batch_size": "64,128,256", "arch": "conv9,conv5"}
        first, *others = (Tip(Action.OPTION, field, values) for field, values in examples.items())
        hint = Advice("give a range or a list: ", first, *(part for step in others for part in (", ", step)))
        raise InvalidValue("space", "empty", "nothing to search yet", hint=hint)
    archs = space.dimension("arch")
    for arch in [base.arch] if archs is None else archs.ends():
        check_costs(parse_objectives(objective), str(arch))
    return SweepPlan(space=space, base=base, origin=origin, objective=objective)


def _base(values: Mapping[str, object], space: Space) -> TrainConfig:
    """The config of these values. Where they go together only with some of those that vary, it has such ones of these.

    Raises:
        InvalidValue, OverBudget: for the values alone, where none of those that vary makes them any better.
    """
    try:
        return TrainConfig.checked(values)
    except InvalidValue:
        for params in space.combinations(DECIDING):
            with suppress(InvalidValue, OverBudget):
                return TrainConfig.checked({**values, **params})
        raise


def continued(
    stored: SweepPlan, options: Mapping[str, str], *, objective: str | None, budget: bool | None
) -> SweepPlan:
    """A stored plan with what was written beside its name, where that names no space. `SweepPlan.difference` says
    whether it is still the same search.

    Raises:
        InvalidValue, OverBudget: for a value that is wrong, or of a field that the study searches.
    """
    _, fixed = Space.parse(options, stored.base.dataset)
    for field, searched in stored.space.to_json().items():
        if field in fixed:
            hint = Advice(Tip(Action.LEAVE_OUT, field), " to continue the study, or ", Tip(Action.CHANGE, "study"))
            raise InvalidValue(field, options[field], f"the study searches {searched}", hint=hint)
    changes = {**fixed, **({} if budget is None else {"budget": budget})}
    return replace(stored, base=stored.base.changed(**changes), objective=objective or stored.objective)


def settle_data(plan: SweepPlan, dataset: Dataset) -> SweepPlan:
    """The plan with the data set by name, and with images held out where the objective needs some.

    Raises:
        InvalidValue: when too few images are there to hold any out.
    """
    base = plan.base.model_copy(update={"dataset": dataset.choice})
    if plan.scored_on == "val" and not base.val_split:
        count = min(len(dataset.train_labels), base.limit_train or len(dataset.train_labels))
        base = base.changed(val_split=min(MAX_HELD_OUT, count // 10))
        if not base.val_split:
            allowed = "too few training images to hold any out"
            raise InvalidValue("limit_train", base.limit_train, allowed, hint="use at least 10")
    return replace(plan, base=base)


def start_values(origin: tuple[str, str]) -> Mapping[str, object]:
    """The config values of the preset or file that an option names, ``("--preset", "modern")``.

    Raises:
        InvalidValue: when it is gone, or cannot be read.
    """
    option, name = origin
    return (load_config_file(Path(name)) if option == "--config" else load_preset(name)).values


def _searched(space: dict[str, str], plan: SweepPlan, field: str) -> str:
    return space.get(field) or f"fixed at {getattr(plan.base, field)}"
