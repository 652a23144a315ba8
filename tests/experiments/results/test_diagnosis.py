"""The diagnosis of a run, on histories of real runs on a part of MNIST, and on the edges of its rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.results.diagnosis import RULES, diagnose

HISTORIES = json.loads((Path(__file__).parents[2] / "fixtures" / "histories.json").read_text())


@pytest.fixture
def view_of(script):
    """The view of a run with such epochs: training loss, test loss, accuracy."""

    def make(epochs, *events, target=99.4, epochs_in_all=60):
        config = {"target": target, "epochs": epochs_in_all, "budget": False}
        told = [
            script.epoch(number, accuracy, train_loss=trained, test_loss=loss)
            for number, (trained, loss, accuracy) in enumerate(epochs, start=1)
        ]
        return script.view(script.started(config=config), *told, *events)

    return make


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ("small_net_on_400_images", "overfitting since epoch 11"),
        ("five_epochs_at_a_low_rate", "still improving"),
        ("rate_far_too_high", "no better than guessing"),
        ("rate_far_too_low", "still improving"),
        ("rate_falls_to_nothing", "plateau since epoch 11"),
        ("target_of_96", "target reached in epoch 5, overfitting since epoch 9"),
        ("high_rate", "overfitting since epoch 16"),
        ("sgd_until_the_rate_is_too_high", "diverging since epoch 2"),
        ("adam_until_the_rate_is_too_high", "diverging since epoch 3"),
    ],
)
def test_real_runs_are_told_as_their_curves_look(view_of, history, words):
    known = HISTORIES[history]
    assert diagnose(view_of(known["epochs"], target=known["target"])).words == words


def test_what_is_said_while_a_run_goes_on_comes_from_the_epochs_so_far_alone(view_of):
    epochs = HISTORIES["small_net_on_400_images"]["epochs"]
    told = [diagnose(view_of(epochs[:count])).words for count in range(1, 16)]
    assert told[:2] == ["too early to tell"] * 2
    assert told[12:] == ["still improving", "overfitting since epoch 11", "overfitting since epoch 11"]


def test_a_run_that_has_ended_is_told_in_the_past(view_of, script):
    epochs = HISTORIES["five_epochs_at_a_low_rate"]["epochs"]
    assert diagnose(view_of(epochs, script.finished(5))).words == "still improving at its end"
    assert diagnose(view_of(epochs, script.stopped(6))).words == "still improving", "it can go on"
    assert diagnose(view_of(epochs[:2], script.finished(2))).words == "too few epochs to tell"


def test_a_loss_that_is_not_finite_is_told_with_its_epoch(view_of, script):
    epochs = HISTORIES["five_epochs_at_a_low_rate"]["epochs"]
    found = diagnose(view_of(epochs, script.failed(6, "the loss is not finite in epoch 6")))
    assert (found.words, found.is_bad) == ("diverged in epoch 6", True)
    assert diagnose(view_of(epochs, script.failed(6, "out of memory"))).words == "still improving"


def test_slow_progress_counts_once_it_adds_up(view_of):
    slow = [(0.5, 0.5 * 0.997**epoch, 0.9) for epoch in range(20)]
    assert diagnose(view_of(slow)).words == "still improving"
    flat = slow + [slow[-1]] * 4
    assert diagnose(view_of(flat)).trend == "plateau"
    assert diagnose(view_of(flat)).since in range(18, 22)


def test_held_out_images_are_what_it_goes_by_where_there_are_some(script):
    told = [script.epoch(n, 0.9 + n / 100, on_test=False, val_loss=0.5 - n / 10, train_loss=0.5) for n in (1, 2, 3)]
    assert diagnose(script.view(script.started(), *told)).words == "still improving"


def test_before_any_epoch_nothing_is_known(script):
    found = diagnose(script.view(script.started()))
    assert found.to_json() == {"trend": "too_early", "since": None, "target_epoch": None, "words": "too early to tell"}
    assert diagnose(script.view()).words == "too early to tell"


def test_every_trend_has_its_rule():
    assert set(RULES) == {"too_early", "diverged", "diverging", "not_learning", "overfitting", "plateau", "improving"}
