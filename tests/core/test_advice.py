"""Advice: sentences of texts and of tips that each front end words by itself."""

import pytest

from core.advice import Action, Advice, Tip


def test_texts_stay_and_tips_are_worded():
    advice = Advice("hold out fewer, or ", Tip(Action.LOWER, "batch_size", "64"), "")
    assert str(advice) == "hold out fewer, or use a lower batch size than 64"
    assert advice.worded(lambda tip: tip.subject.upper()) == "hold out fewer, or BATCH_SIZE"
    assert advice == Advice(*advice.parts)


def test_no_advice_is_false_and_says_nothing():
    assert not Advice()
    assert Advice("") == Advice()
    assert str(Advice()) == ""


@pytest.mark.parametrize("action", Action)
def test_every_tip_has_plain_words_for_logs(action):
    words = str(Tip(action, "some_subject", "VALUE"))
    assert words == words.strip()
    assert "_" not in words
    assert "{" not in words
    assert str(Tip(action, "lr"))
