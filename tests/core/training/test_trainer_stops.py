"""A run is lazy, stops at the next batch wherever it is, and its checkpoints are snapshots that change nothing."""

import itertools
from collections.abc import Callable

import pytest

from core.errors import RunError
from core.events import EpochFinished, RunStarted, RunStopped, StepProgress
from core.storage.checkpoint import Checkpoint
from core.storage.tensors import weights_sha256
from core.training.average import copy_weights

pytestmark = pytest.mark.usefixtures("every_step_is_told")


def asked(times: int) -> Callable[[], str]:
    """A reason to stop from the question of this number on, counted from 0."""
    counter = itertools.count()
    return lambda: "enough" if next(counter) >= times else ""


def test_nothing_is_trained_before_the_first_event_is_taken_nor_after_the_last_one_is(make_trainer, steps_taken):
    events = make_trainer().run()
    assert steps_taken == []
    assert isinstance(next(events), RunStarted)
    assert steps_taken == []
    next(events)
    next(events)
    assert len(steps_taken) == 2
    events.close()
    assert len(steps_taken) == 2
    assert list(events) == []


@pytest.mark.parametrize(
    ("questions", "steps", "epoch", "finished"),
    [
        (0, 0, 1, 0),
        (3, 3, 1, 0),  # in training
        (5, 5, 1, 0),  # in the evaluation, asked once for its one batch
        (6, 5, 2, 1),  # before the second epoch's first step
        (17, 15, 3, 2),  # in the last evaluation
    ],
)
def test_a_run_stops_at_the_next_batch_wherever_it_is(make_trainer, questions, steps, epoch, finished, steps_taken):
    events = [event for event in make_trainer().run(asked(questions)) if not isinstance(event, StepProgress)]
    assert [event.NAME for event in events] == ["run_started", *["epoch_finished"] * finished, "run_stopped"]
    assert events[-1] == RunStopped(epoch=epoch, reason="enough")
    assert len(steps_taken) == steps


def test_a_checkpoint_stays_as_it_was_while_training_goes_on(make_trainer, untimed):
    trainer = make_trainer(schedule="cosine", ema=True)
    kept = [(index, trainer.checkpoint()) for index, _ in enumerate(trainer.run())]
    whole = list(make_trainer(schedule="cosine", ema=True).run())
    for index, checkpoint in kept[::3]:
        resumed = make_trainer(schedule="cosine", ema=True)
        resumed.restore(checkpoint)
        assert untimed(list(resumed.run())[1:]) == untimed(whole[index + 1 :] or whole[-1:])


def test_taking_checkpoints_changes_nothing(make_trainer):
    watched, plain = make_trainer(dropout=0.1), make_trainer(dropout=0.1)
    for _ in watched.run():
        watched.checkpoint()
    list(plain.run())
    assert weights_sha256(copy_weights(watched.model)) == weights_sha256(copy_weights(plain.model))


def test_seconds_count_on_across_a_stop(make_trainer):
    first = make_trainer()
    list(first.run(asked(8)))
    checkpoint = first.checkpoint()
    spent = {"seconds": 1000.0, "epoch_seconds": 500.0}
    second = make_trainer()
    second.restore(Checkpoint(checkpoint.tensors, {**checkpoint.state, **spent}))
    events = list(second.run())
    finished = [event for event in events if isinstance(event, EpochFinished)]
    assert finished[0].seconds > 500.0 > finished[1].seconds
    assert events[-1].seconds > 1000.0


@pytest.mark.parametrize("key", ["epoch", "step", "accuracies", "seconds", "epoch_seconds"])
@pytest.mark.parametrize("value", [None, "x", [None]])
def test_a_checkpoint_whose_state_makes_no_sense_is_refused(make_trainer, key, value):
    trainer = make_trainer()
    list(trainer.run(asked(3)))
    checkpoint = trainer.checkpoint()
    with pytest.raises(RunError):
        make_trainer().restore(Checkpoint(checkpoint.tensors, {**checkpoint.state, key: value}))
    with pytest.raises(RunError):
        make_trainer().restore(Checkpoint(checkpoint.tensors, {}))
