"""A sweep begun in the interface, in a real pseudo-terminal: it outlives the interface, is stopped and goes on."""

from __future__ import annotations

from experiments.runs.row import Status
from experiments.runs.store import Store
from experiments.studies.folder import StudyFolder
from experiments.studies.view import study_view
from tui.screens.sweeps import EMPTY

CONFIG = "--dataset mnist-5k --limit-test 100 --device cpu --batch-size 128"
TINY = "c4 p2 c8 gap fc10"
SLOW = "c24 c32 c32 gap fc10"
"""A trial of 20 epochs takes about a minute: a stop does not meet its end, after which none is under way."""


def begin(app, name: str, arch: str, trials: int, epochs: int, images: int) -> None:
    """From the list of sweeps, through its dialog."""
    app.wait_for("a New sweep")
    app.press("a")
    app.wait_for("What Space does not say")
    base = f"{CONFIG} --arch '{arch}' --limit-train {images} --lr 0.01:0.5:log"
    app.press("ctrl+u", name, "down", base, "down", "ctrl+u", str(trials))
    app.press("down", "ctrl+u", str(epochs), "down", "down", "down", "down", "1")
    app.wait_for("enter starts it")
    app.press("enter")


def test_a_sweep_is_begun_seen_to_its_end_and_its_best_is_forked(terminal, tmp_path):
    app = terminal((120, 40))
    app.wait_for("Ready")
    app.press("4")
    app.wait_for(EMPTY.splitlines()[0])
    begin(app, "first", TINY, 3, 2, 256)
    app.wait_for(lambda text: "finished  first" in text and "3/3" in text, 120)
    best = study_view(tmp_path / "home", "first").best
    app.press("enter")
    app.wait_for("3 of 3 trials done: 3 finished")
    app.press("B", "f")
    app.wait_for("0 changes")
    config = Store(tmp_path / "home").run(best.run_id).config()
    assert (config["lr"], config["epochs"], config["limit_train"]) == (best.params["lr"], 2, 256)
    app.press("ctrl+q")
    assert app.exit_code() == 0


def test_a_sweep_outlives_the_interface_and_is_stopped_and_continued_from_the_next(terminal, tmp_path):
    home = tmp_path / "home"
    app = terminal((80, 24))
    app.wait_for("Ready")
    app.press("4")
    begin(app, "long", SLOW, 1000, 20, 4000)
    app.wait_for("running   long", 120)
    app.press("ctrl+q")
    assert app.exit_code() == 0
    owner = StudyFolder.of(home, "long").owner()
    assert owner is not None, "it goes on"

    app = terminal((80, 24))
    app.wait_for("Ready")
    app.press("4")
    app.wait_for("x Stop")
    app.wait_for(lambda _: study_view(home, "long").trials[0].values)
    app.press("x")
    app.wait_for("stopped   long", 60)
    left = next(trial for trial in study_view(home, "long").trials if trial.state == "running")
    assert Store(home).run(left.run_id).status() is Status.STOPPED
    app.press("c")
    app.wait_for("running   long", 60)
    assert StudyFolder.of(home, "long").owner() != owner
    app.wait_for(lambda _: study_view(home, "long").trials[left.number].values.keys() > left.values.keys(), 120)
    app.press("x")
    app.wait_for("stopped   long", 60)
    app.press("ctrl+q")
    assert app.exit_code() == 0
