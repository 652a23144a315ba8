"""From nothing to a report: two runs, which of them is best and why, a note, and the page to hand in, in few keys."""

from __future__ import annotations

import json
import re

import pytest
from pseudo_terminal import KEYS, TerminalApp

from experiments.runs.row import Status
from experiments.runs.store import Store

MOST = 40
"""Keys for all of it."""


class Person:
    """Presses keys, and counts them: a letter of a text is one."""

    def __init__(self, app: TerminalApp) -> None:
        self.app, self.keys = app, 0

    def press(self, *keys: str) -> None:
        self.keys += sum(1 if key in KEYS else len(key) for key in keys)
        self.app.press(*keys)

    def sees(self, *words: str) -> str:
        """Wait until the screen says all of this, wherever its lines are broken."""
        return self.app.wait_for(lambda text: all(word in _flat(text) for word in words))


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("│", " "))


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["120x40", "80x24"])
def test_two_runs_the_best_why_a_note_and_a_report(terminal, tmp_path, size):
    home = tmp_path / "home"
    home.mkdir()
    form = {"arch": "c4 p2 c8 gap fc10", "dataset": "mnist-5k", "limit_train": "1000", "limit_test": "500"}
    form |= {"epochs": "3", "batch_size": "64", "lr": "0.001", "device": "cpu", "engine": "eager"}
    (home / "state.json").write_text(json.dumps({"form": form}))  # few images, so that it takes seconds
    app = terminal(size)
    person = Person(app)

    person.sees("Ready", "ctrl+r")
    person.press("ctrl+r")
    person.sees("✓ finished")
    person.press("1")
    person.sees("v Values")
    person.press("v", "0.1")
    person.sees("Ready")
    person.press("ctrl+r")
    both = [Status.FINISHED] * 2
    app.wait_for(lambda text: "✓ finished" in text and [run.status() for run in Store(home).runs()] == both)

    person.press("3")
    person.sees("2 runs, 0 live", "o Sort", "/ Filter", "N Note", "R Report")
    person.press("o", "g")
    person.sees("Best▼", "by best accuracy")
    if size[0] < 110:
        person.press("P")
    why = _flat(person.sees("Why", "1st of 2", "ahead of", "lr 0.001"))
    runs = {run.config()["lr"]: run for run in Store(home).runs()}
    best = max(runs.values(), key=lambda run: run.row().best_test_accuracy)
    assert best.config()["lr"] == 0.1
    assert f"{100 * best.row().best_test_accuracy:.2f}%" in why
    assert "99.4% not reached" in why

    person.press("N")
    person.sees("ctrl+s saves", "Target, Result, Analysis")
    person.press("lr 0.1 wins")
    person.press("ctrl+s")
    person.sees("the note is saved", "Note lr 0.1 wins" if size[0] >= 110 else "saved")
    assert best.meta().note == "lr 0.1 wins"

    person.press("R")
    person.sees("For a course", "It is written into")
    person.press("enter")
    app.wait_for(lambda text: "Report written" in text)
    (page,) = (home / "reports").glob("*.html")
    text = page.read_text()
    for part in ("lr 0.1 wins", "Receptive field", "Training log", "Misclassified images", "data:image/png"):
        assert part in text
    person.press("q")
    assert app.exit_code() == 0
    assert person.keys <= MOST, person.keys
