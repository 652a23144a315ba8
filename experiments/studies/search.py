"""Samplers and pruners: Optuna's, and the early signal of the exercise as a pruner."""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from core.history import EARLY_EPOCHS, early_signal
from experiments.studies.notes import REJECTED
from experiments.studies.space import Space, rounded

STARTUP_TRIALS = 5
"""Finished trials that the median pruner waits for."""
RANDOM_TRIALS = 10
"""Trials that are proposed at random before TPE begins to learn."""


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


class _Rounded(BaseSampler):
    """Values of a range in steps without what floating point adds to them: 0.055, not 0.05500000000000001."""

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        value = super().sample_independent(study, trial, param_name, param_distribution)  # type: ignore[safe-super]
        return _on_step(value, param_distribution)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        values = super().sample_relative(study, trial, search_space)  # type: ignore[safe-super]
        return {name: _on_step(value, search_space[name]) for name, value in values.items()}


class Random(_Rounded, RandomSampler):
    pass


class Tpe(_Rounded, TPESampler):
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


def _on_step(value: Any, distribution: BaseDistribution) -> Any:
    is_stepped = isinstance(distribution, FloatDistribution) and distribution.step is not None
    return rounded(value) if is_stepped else value


def make_sampler(name: str, space: Space, seed: int) -> BaseSampler:
    """A sampler by name; equal seeds propose equally.

    Raises:
        InvalidValue: when the space has no grid.
    """
    if name == "grid":
        return Grid(space.grid())
    return Tpe(seed) if name == "tpe" else Random(seed=seed)


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
