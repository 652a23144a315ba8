"""Advice in the words of the interface, and of the dialog that begins a sweep."""

from __future__ import annotations

import pytest

from core.advice import Action, Advice, Tip
from tui.live.forms.advice import as_sentence, for_interface
from tui.live.forms.sweep_form import tip_in_form_words


@pytest.mark.parametrize("action", Action)
def test_every_tip_has_words(action):
    advice = Advice(Tip(action, "lr", "0.1"))
    assert len(for_interface(advice).split()[0]) > 1, "a key cannot begin a sentence: c would become C"
    assert advice.worded(tip_in_form_words).strip()
    assert "--lr" not in for_interface(advice) or action is Action.START_WITH


BUDGETS = Advice(Tip(Action.RAISE_BUDGET, "max_params"), ", or ", Tip(Action.LIFT_BUDGETS))


@pytest.mark.parametrize(
    ("advice", "words"),
    [
        (BUDGETS, "raise Max parameters under Advanced, or turn Budget off there"),
        (Advice(Tip(Action.LOWER, "lr", "0.1")), "use a lower learning rate than 0.1"),
        (Advice(Tip(Action.SHRINK, "batch_size", "256")), "use a smaller batch size than 256"),
        (Advice(Tip(Action.WATCH, "ID"), ", or stop it first"), "open it from Runs to follow it, or stop it first"),
        (Advice("then go on with ", Tip(Action.RESUME, "ID")), "then go on with key c in Runs"),
        (
            Advice(Tip(Action.SET, "engine", "auto"), ", which takes the fastest"),
            "set Engine to auto, which takes the fastest",
        ),
        (Advice(Tip(Action.DOWNLOAD, "kmnist")), "in a shell: mnist-tui data download --dataset kmnist"),
        (
            Advice(Tip(Action.START_WITH, "data_dir", "a writable folder")),
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
        (Advice(Tip(Action.SET, "device", "auto")), "put --device auto into Space"),
        (Advice(Tip(Action.SET, "objective", "test")), "choose test as Objective"),
        (Advice(Tip(Action.EXAMPLE, "trials", "1")), "for example 1"),
    ],
    ids=str,
)
def test_a_new_sweep_has_words_of_its_own(advice, words):
    assert advice.worded(tip_in_form_words) == words


def test_a_sentence_begins_and_ends_as_one():
    assert as_sentence("did you mean conv5?") == "Did you mean conv5?"
    assert as_sentence("use tpe") == "Use tpe."
    assert as_sentence("it is too low.") == "It is too low."
    assert as_sentence("") == ""
