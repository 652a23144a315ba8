"""Advice in the words of the interface, and of the dialog that begins a sweep."""

from __future__ import annotations

import pytest

from core.advice import Action, Advice, Step
from tui.live.advice import as_sentence, for_interface
from tui.live.sweep_form import step_in_form_words


@pytest.mark.parametrize("action", Action)
def test_every_step_has_words(action):
    advice = Advice(Step(action, "lr", "0.1"))
    assert for_interface(advice).strip()
    assert advice.worded(step_in_form_words).strip()
    assert "--lr" not in for_interface(advice) or action is Action.START_WITH


BUDGETS = Advice(Step(Action.RAISE_BUDGET, "max_params"), ", or ", Step(Action.LIFT_BUDGETS))


@pytest.mark.parametrize(
    ("advice", "words"),
    [
        (BUDGETS, "raise Max parameters under Advanced, or turn Budget off there"),
        (Advice(Step(Action.LOWER, "lr", "0.1")), "use a lower learning rate than 0.1"),
        (Advice(Step(Action.SHRINK, "batch_size", "256")), "use a smaller batch size than 256"),
        (Advice(Step(Action.WATCH, "ID"), ", or stop it first"), "open it from Runs to follow it, or stop it first"),
        (Advice("then go on with ", Step(Action.RESUME, "ID")), "then go on with c in Runs"),
        (
            Advice(Step(Action.SET, "engine", "auto"), ", which takes the fastest"),
            "set Engine to auto, which takes the fastest",
        ),
        (Advice(Step(Action.DOWNLOAD, "kmnist")), "in a shell: mnist-tui data download --dataset kmnist"),
        (
            Advice(Step(Action.START_WITH, "data_dir", "a writable folder")),
            "start mnist-tui with --data-dir and a writable folder",
        ),
        (Advice("hold out fewer images"), "hold out fewer images"),
    ],
    ids=str,
)
def test_advice_is_given_in_fields_screens_and_keys(advice, words):
    assert for_interface(advice) == words


@pytest.mark.parametrize(
    ("advice", "words"),
    [
        (BUDGETS, "put a higher --max-params into Space, or turn Budget off in the Lab"),
        (Advice(Step(Action.SET, "device", "auto")), "put --device auto into Space"),
        (Advice(Step(Action.SET, "objective", "test")), "choose test as Objective"),
        (Advice(Step(Action.EXAMPLE, "trials", "1")), "for example 1"),
    ],
    ids=str,
)
def test_a_new_sweep_has_words_of_its_own(advice, words):
    assert advice.worded(step_in_form_words) == words


def test_a_sentence_begins_and_ends_as_one():
    assert as_sentence("did you mean conv5?") == "Did you mean conv5?"
    assert as_sentence("use tpe") == "Use tpe."
    assert as_sentence("") == ""
