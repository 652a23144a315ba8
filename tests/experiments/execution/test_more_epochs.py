"""A run that is finished goes on to more epochs, to the weights of one that was to have as many, or is refused."""

from __future__ import annotations

import pytest

from core.errors import InvalidValue, OverBudget
from core.events import RunStarted
from experiments.execution.runner import Runner
from experiments.runs.row import Status
from experiments.verification.verify import verify


@pytest.fixture
def runner(locations) -> Runner:
    return Runner(locations)


def train(runner: Runner, config):
    return runner.store.run(list(runner.run(config))[-1].run_id)


def weights(run) -> str:
    return run.view().end.weights_sha256


def test_a_finished_run_is_extended_only_when_asked_to(runner, tiny):
    run, longer = train(runner, tiny), train(runner, tiny.changed(epochs=4))
    with pytest.raises(InvalidValue, match="is finished") as caught:
        next(runner.resume(run))
    assert "more epochs" in caught.value.hint
    list(runner.resume(run, epochs=4))
    assert weights(run) == weights(longer)
    assert run.config()["epochs"] == 4


def test_a_run_that_reached_its_target_can_be_extended_beyond_it(runner, tiny):
    run = train(runner, tiny.changed(target=0.1, stop_at_target=True))
    assert run.view().end.epochs == 1
    list(runner.resume(run, epochs=3))
    assert run.view().end.epochs == 3


NO_BETTER = {"arch": "fc10", "lr": 1e-7}
"""It learns nothing: each epoch has the accuracy of the first."""


@pytest.mark.parametrize("planned", [3, 6])
def test_a_run_that_got_no_better_can_be_extended_beyond_its_end(runner, tiny, planned):
    """Also where the rule would have ended it with its last epoch."""
    run = train(runner, tiny.changed(**NO_BETTER, early_stop=2, epochs=planned))
    assert (run.view().end.epochs, run.view().end.ended_by) == (3, "epochs" if planned == 3 else "early_stop")
    with pytest.raises(InvalidValue, match="is finished"):
        next(runner.resume(run))
    with pytest.raises(InvalidValue, match="3 epochs are done"):
        next(runner.resume(run, epochs=3))
    list(runner.resume(run, epochs=5))
    assert (run.view().end.epochs, run.view().end.ended_by) == (5, "epochs")
    assert run.config()["early_stop"] == 0
    assert weights(run) == weights(train(runner, tiny.changed(**NO_BETTER, epochs=5)))
    assert verify(run, runner.locations).agrees


def test_a_run_that_was_getting_better_keeps_its_rule(runner, tiny):
    run = train(runner, tiny.changed(early_stop=2, epochs=2))
    list(runner.resume(run, epochs=3))
    assert run.config()["early_stop"] == 2


def test_a_rate_on_a_plateau_goes_on_falling_in_more_epochs(runner, tiny):
    rule = {"schedule": "plateau", "patience": 0, "threshold": 0.9}
    run, longer = train(runner, tiny.changed(**rule)), train(runner, tiny.changed(**rule, epochs=4))
    list(runner.resume(run, epochs=4))
    assert [epoch.lr for epoch in run.view().epochs] == [epoch.lr for epoch in longer.view().epochs]
    assert weights(run) == weights(longer)
    assert verify(run, runner.locations).agrees


@pytest.mark.parametrize("schedule", ["onecycle", "cosine"])
def test_a_schedule_laid_out_for_its_length_is_not_extended(runner, tiny, schedule):
    run = train(runner, tiny.changed(schedule=schedule))
    with pytest.raises(InvalidValue, match=f"{schedule} schedule was laid out for 2 epochs"):
        next(runner.resume(run, epochs=3))
    assert run.status() is Status.FINISHED


def test_epochs_that_are_done_are_not_undone(runner, tiny):
    run = train(runner, tiny)
    with pytest.raises(InvalidValue, match="2 epochs are done"):
        next(runner.resume(run, epochs=2))


def test_the_epoch_budget_holds_for_an_extension_too_unless_it_is_lifted(runner, tiny):
    run = train(runner, tiny)
    with pytest.raises(OverBudget, match="epochs = 21"):
        next(runner.resume(run, epochs=21))
    entries = runner.resume(run, epochs=21, no_budget=True)
    assert isinstance(next(entries).event, RunStarted)
    entries.close()
