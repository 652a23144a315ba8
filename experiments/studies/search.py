"""Samplers and pruners: Optuna's, and the early signal of the exercise as a pruner."""

from __future__ import annotations

from typing import Any, Self

from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GridSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from core.config import TrainConfig
from core.history import EARLY_EPOCHS, early_signal
from experiments.studies.dimensions import rounded
from experiments.studies.notes import REJECTED
from experiments.studies.space import SLOT, Space
from experiments.studies.within_budget import WithinBudget

STARTUP_TRIALS = 5
"""Finished trials that the median pruner waits for."""
RANDOM_TRIALS = 10
"""Trials that are proposed at random before TPE begins to learn."""
POPULATION = 12
"""Trials of a generation of NSGA-II. Optuna's own number, 50, is more than most searches here have in all."""


class EarlySignalPruner(BasePruner):
    """Ends a trial that has not shown the early signal by the third epoch. Steps are epochs, counted from 1."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:  # noqa: ARG002
        values = trial.intermediate_values
        return max(values, default=0) >= EARLY_EPOCHS and early_signal(values) is False


class LateMedianPruner(MedianPruner):
    """Ends a trial that is below the median of the others at its epoch, in the second half of its run.

    Where the learning rate rises first and falls late, earlier epochs say little: over 20 finished trials of two
    networks, 19 epochs on MNIST, their accuracies and the last one had a rank correlation of 0.1 to 0.6 until epoch 14.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=2)  # a single epoch is too noisy in any case
        self._epochs = epochs

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        epochs = trial.params.get("epochs", self._epochs)
        return 2 * max(trial.intermediate_values, default=0) >= epochs and super().prune(study, trial)


class _Fitted(BaseSampler):
    """Values of a range in steps without what floating point adds to them, 0.055 and not 0.05500000000000001, and those
    of a template's choices with which the network can be kept within the budget.

    The distributions stay those of the whole space, so that a sampler sees one space in all trials.
    """

    within: WithinBudget
    space: Space

    def fitted_to(self, space: Space, within: WithinBudget) -> Self:
        self.space, self.within = space, within
        return self

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        value = super().sample_independent(study, trial, param_name, param_distribution)  # type: ignore[safe-super]
        return self.within.fit(param_name, _on_step(value, param_distribution), _given(trial) | trial.params)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What the sampler leaves open of a template, a mutation of NSGA-II, is drawn here: it has to leave room for
        the rest, too."""
        values = super().sample_relative(study, trial, search_space)  # type: ignore[safe-super]
        found: dict[str, Any] = dict(_given(trial))
        for name in [dimension.field for dimension in self.space.in_turn(trial.number)] if values else []:
            if name in values:
                value = _on_step(values[name], search_space[name])
            elif name.startswith(SLOT) and name in search_space:
                value = super().sample_independent(study, trial, name, search_space[name])  # type: ignore[safe-super]
            else:
                continue
            found[name] = found.get(name, self.within.fit(name, value, found))
        return {name: value for name, value in found.items() if name in search_space}


class Random(_Fitted, RandomSampler):
    pass


class Tpe(_Fitted, TPESampler):
    """The tree-structured Parzen estimator (Bergstra et al., NIPS 2011), which learns from rejected proposals, too.

    TPE splits the trials into the best few and the rest, estimates the density of each value in either, and proposes
    where the first is high and the second low. A rejected proposal, over the budget say, has no accuracy. It is in the
    study as a pruned trial (see `Trials.reject`): TPE ranks it last, and proposes less of its neighbourhood.

    At random are the proposals until `RANDOM_TRIALS` trials have been trained. Optuna's own sampler counts rejected
    ones among these, and would begin to learn when it may have nothing but rejections to learn from.
    """

    def __init__(self, seed: int) -> None:
        # With trials under way, TPE takes them for bad ones, so that it does not propose their neighbours once more.
        super().__init__(n_startup_trials=RANDOM_TRIALS, seed=seed, constant_liar=True)
        self._random = Random(seed=seed)

    def fitted_to(self, space: Space, within: WithinBudget) -> Self:
        self._random.fitted_to(space, within)
        return super().fitted_to(space, within)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if not _have_ended(study, RANDOM_TRIALS):
            return self._random.sample_independent(study, trial, param_name, param_distribution)
        return super().sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return super().sample_relative(study, trial, search_space) if _have_ended(study, RANDOM_TRIALS) else {}


def _have_ended(study: Study, count: int) -> bool:
    """Whether so many trials were trained and have ended, finished or pruned."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return sum(REJECTED not in trial.user_attrs for trial in trials) >= count


class Grid(GridSampler):
    """Every combination once, in an order that the seed fixes. Optuna's own ends by stopping `Study.optimize`, which
    is not in use here."""

    def after_trial(self, *_: object) -> None:
        pass

    def has_more(self, trials: list[FrozenTrial]) -> bool:
        """Whether there are combinations that no trial has."""
        taken = {trial.system_attrs["grid_id"] for trial in trials if "grid_id" in trial.system_attrs}
        return len(taken) < self._n_min_trials


def _given(trial: FrozenTrial) -> dict[str, Any]:
    """The values that somebody gave a trial which was added by hand."""
    return dict(trial.system_attrs.get("fixed_params", {}))


def _on_step(value: Any, distribution: BaseDistribution) -> Any:
    is_stepped = isinstance(distribution, FloatDistribution) and distribution.step is not None
    return rounded(value) if is_stepped else value


class Nsga2(_Fitted, NSGAIISampler):
    """The evolution strategy NSGA-II (Deb et al., IEEE Transactions on Evolutionary Computation 6, 2002): proposals
    cross over two of the best trials, each value of one or of the other, and change some.

    With several objectives the best are the Pareto fronts, one after another. A trial that was rejected or given up has
    no offspring.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(population_size=POPULATION, seed=seed)


def make_sampler(name: str, space: Space, base: TrainConfig, seed: int) -> BaseSampler:
    """A sampler by name, for trials around a config; equal seeds propose equally.

    Raises:
        InvalidValue: when the space has no grid.
    """
    if name == "grid":
        return Grid(space.grid())
    sampler = Tpe(seed) if name == "tpe" else Nsga2(seed) if name == "nsga2" else Random(seed=seed)
    return sampler.fitted_to(space, WithinBudget(space, base))


def make_pruner(name: str, epochs: int) -> BasePruner:
    """A pruner by name, for trials of so many epochs unless these are searched."""
    match name:
        case "median":
            return LateMedianPruner(epochs)
        case "halving":
            return SuccessiveHalvingPruner(min_resource=2, reduction_factor=3)
        case "early-signal":
            return EarlySignalPruner()
        case _:
            return NopPruner()
