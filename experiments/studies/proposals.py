"""Turns the values that a sampler proposes into a config, or into the reason why it may not be trained."""

from __future__ import annotations

from collections.abc import Mapping

from core.config import TrainConfig
from core.data.task_of import task_of
from core.errors import InvalidValue, LabError, OverBudget
from core.models.network import summarize_config
from core.models.spec import is_user_module
from experiments.execution.apart import examine
from experiments.execution.own_files import FirstRead
from experiments.studies.dimensions import Value
from experiments.studies.plan import DECIDING, SweepPlan
from experiments.studies.space import Space
from experiments.studies.within_budget import WithinBudget


class Proposals:
    """The configs of a space, around a base that says everything that does not vary. `first_read` has the code of
    users' own modules."""

    def __init__(self, base: TrainConfig, space: Space, first_read: FirstRead | None = None) -> None:
        self.base = base
        self.space = space
        self._first_read = first_read or FirstRead()
        self._networks: dict[tuple[str, float], LabError | None] = {}

    def config(self, params: Mapping[str, Value]) -> TrainConfig:
        """The config of a proposal.

        Raises:
            OverBudget: when it has too many epochs, or its network too many parameters.
            InvalidValue: for values that do not go together.
        """
        return self._checked(self.base.changed(**self.space.changes(params)))

    def _checked(self, config: TrainConfig) -> TrainConfig:
        if (problem := self._problem(config)) is not None:
            raise problem
        return config

    def _problem(self, config: TrainConfig) -> LabError | None:
        network = (config.arch, config.dropout)
        if network not in self._networks:
            self._networks[network] = _problem_of(config, self._first_read)
        return self._networks[network]

    def check_feasible(self) -> None:
        """Make sure that something of the space may be trained, and that every module of one's own can be built.

        Raises:
            OverBudget: when all of it is over the budget.
            SpecError: for a template that nothing can be built from.
            InvalidValue: when no values go together, or for a module that is of no use with whatever values.
        """
        smallest = WithinBudget(self.space, self.base)
        smallest.check()
        for params in self.space.combinations(("arch",)):
            config = self.base.changed(**params, dropout=0.0)
            if is_user_module(config.arch) and isinstance(problem := self._problem(config), InvalidValue):
                raise problem
        problems: list[LabError] = []
        for params in self.space.combinations(DECIDING):
            try:
                self._checked(self.base.changed(**params, **smallest.least))
                return
            except (OverBudget, InvalidValue) as problem:
                problems.append(problem)
        over = next((problem for problem in problems if isinstance(problem, OverBudget)), None)
        if over is not None:
            raise OverBudget(f"the whole search space is over the budget; {over.message}", hint=over.advice)
        raise problems[0]


def check_machine(plan: SweepPlan) -> None:
    """Make sure that this machine has what every trial needs, for trials that are trained here.

    Raises:
        InvalidValue: for a device, an engine or a precision that it has not.
    """
    from core.device.device import check_precision, pick_device
    from core.engines.choose import choose_engine

    device = pick_device(plan.base.device)
    for params in plan.space.combinations(("engine", "precision")):
        config = plan.base.changed(**params)
        check_precision(config.precision, device)
        choose_engine(config, device, steps=1, task=task_of(config.dataset))


def _problem_of(config: TrainConfig, first_read: FirstRead) -> LabError | None:
    """The error of a network that may not be trained. A user's own module is run, because only that can tell."""
    try:
        if is_user_module(config.arch) and not config.dropout:
            unbounded = config.model_copy(update={"budget": False})
            found = examine(unbounded, files=first_read.of(config))
            first_read.keep(config, found.source)
            config.check_parameter_budget(found.summary.total_params)
        else:
            summarize_config(config, task_of(config.dataset))
    except (OverBudget, InvalidValue) as problem:
        return problem
    return None
