"""Sweeps: the list, one study as it grows, and what can be done to a study and to its trials."""

from __future__ import annotations

import subprocess
import sys

import pytest
from app_pilot import SMALL, WIDE, opened, screen_text, wait_for, wait_for_text
from snapshot import assert_snapshot
from stage import staged
from sweep_tools import Scripted, drive, tiny_plan

from experiments.execution.runner import Runner
from experiments.locations import Locations
from experiments.settings import Settings
from experiments.studies.folder import StudyFolder
from experiments.studies.racing.race import run_race
from experiments.studies.trials import Trials
from experiments.studies.view import add_trial, study_view
from tui.live.messages import ForkRequested, OpenRequested
from tui.screens.form_dialog import FormDialog, Problem
from tui.screens.study import StudyScreen
from tui.screens.sweeps import SweepsScreen

GRID = {"lr": "0.1,0.2,0.3,0.4", "batch_size": "64,128,256", "epochs": "3"}
DRIVER = """
import signal, sys
from pathlib import Path
from experiments.studies.folder import StudyFolder
with StudyFolder.of(Path(sys.argv[1]), "s").held():
    print("driving", flush=True)
    signal.pause()
"""


def study(home, script, *, name: str = "s", trials: int = 10, objective: str = "val", running: bool = True) -> None:
    """A study over a grid: trial 3 pruned, trial 5 failed, the others finished, the last one left under way."""
    left: list[str] = []

    def play(run, life):
        number = int(run.meta().name.rpartition("-")[2])
        for epoch in (1, 2, 3):
            yield script.epoch(epoch, 0.5 + number / 40 + epoch / 20, on_test=objective == "test")
            if number == 3:
                run.ask_to_stop()
            if number == 5:
                yield script.failed(error="the loss is not finite")
                return
            if running and number == trials - 1:
                left.append("SIGTERM")
        yield script.finished(3, 0.65 + number / 40)

    locations = Locations.resolve(home, home / "data")
    changes = GRID | ({"val_split": "0"} if objective == "test" else {})
    plan = tiny_plan(changes, sampler="grid", trials=trials, objective=objective)
    drive(locations, plan, Scripted(script, play), name=name, should_stop=lambda: "".join(left[:1]))


@pytest.fixture
def driver(tmp_path, script):
    """A process that does nothing but drive the study `s`."""
    study(tmp_path, script)
    command = [sys.executable, "-c", DRIVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "driving\n"
        yield process
        process.kill()


async def test_an_empty_home_says_what_a_sweep_is_and_how_to_begin_one(tmp_path):
    async with staged(SweepsScreen(), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "There are no sweeps yet: a sweep trains many configs")
        assert "Begin one with a, or from a shell with: mnist-tui sweep" in screen_text(pilot)
        assert "enter Open" not in screen_text(pilot)
        assert "Copy" not in screen_text(pilot)


@pytest.mark.parametrize(
    ("size", "tag", "options"),
    [(WIDE, "120x40", {}), (SMALL, "80x24", {}), (SMALL, "80x24-ascii", {"settings": Settings(ascii=True)})],
    ids=["120x40", "80x24", "80x24-ascii"],
)
async def test_the_list_and_one_study(tmp_path, script, size, tag, options):
    study(tmp_path, script)
    study(tmp_path, script, name="t", objective="test", trials=2, running=False)
    async with opened(tmp_path, size, **options) as pilot:
        await pilot.press("4")
        await wait_for_text(pilot, "2 sweeps, 0 running")
        await assert_snapshot(pilot, f"sweeps-{tag}")
        await pilot.press("end", "enter")
        await wait_for_text(pilot, "trial 9 stopped")
        await assert_snapshot(pilot, f"study-{tag}")
        if size == SMALL:
            await pilot.press("tab")
            await wait_for_text(pilot, "median of others")
            await pilot.press("tab")
            await wait_for_text(pilot, "needs 8 finished trials, has 7")
        await pilot.press("escape", "home", "enter")
        await wait_for_text(pilot, "TEST (optimistic)")


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x40", "80x24"])
async def test_a_race_is_told_in_the_list_in_the_sweep_and_of_each_that_raced(tmp_path, script, size):
    def play(run, life):
        config = run.config()
        yield script.epoch(1, 0.5 + config["lr"] / 10 + (config["seed"] % 5) / 1000, on_test=False)
        yield script.finished(1, best_test_accuracy=None, best_epoch=None)

    locations = Locations.resolve(tmp_path, tmp_path / "data")
    plan = tiny_plan({"lr": "1,2,3,4", "epochs": "1"}, sampler="grid", trials=4, race=3)
    drive(locations, plan, Scripted(script, play))
    folder, view = StudyFolder.of(tmp_path, "s"), study_view(tmp_path, "s")
    with folder.held():
        list(run_race(Runner(locations), folder, view, lambda: Scripted(script, play), lambda: ""))
    won = f"race: trial {view.best.number} won, 2 are worse by more than chance; its mean 90.20% over 3 new seeds (95%"
    async with opened(tmp_path, size) as pilot:
        await pilot.press("4")
        await wait_for_text(pilot, "1 sweep, 0 running")
        await wait_for(pilot, lambda: won in " ".join(screen_text(pilot).split()))
        await pilot.press("enter")
        await wait_for_text(pilot, "Sweep  s  finished")
        await pilot.press("B")
        await wait_for_text(pilot, "raced: mean 90.20% over 3 new seeds")
        assert won in " ".join(screen_text(pilot).split())
        await pilot.press("H")
        await wait_for_text(pilot, "Race of s")
        shown = " ".join(screen_text(pilot).replace("│", " ").split())
        assert "3 new seeds each, 3 raced: trial " in shown
        assert f"points behind trial {view.best.number}, by chance up to " in shown
        assert f"{view.best.number} 90.20% 89.95% to 90.45% 3 no" in shown
        assert "at most 5% of winners are wrong" in shown
        await pilot.press("H")
        await wait_for_text(pilot, "Sweep  s  finished")


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x40", "80x24"])
async def test_of_the_current_trial_everything_is_readable_and_of_the_others_every_value(tmp_path, script, size):
    reason = f"the device is out of memory: {'it asks for more than is free, ' * 3}and has no other"
    locations = Locations.resolve(tmp_path, tmp_path / "data")
    plan = tiny_plan({"lr": "0.1", "batch_size": "64,128"}, sampler="grid", trials=2)
    drive(locations, plan, Scripted(script, lambda run, life: iter([script.failed(error=reason)])))
    async with staged(StudyScreen("s"), tmp_path, size) as pilot:
        screen = pilot.app.screen
        await wait_for_text(pilot, "trial 1 failed")
        await wait_for_text(pilot, screen._trials[0].run_id)
        text = screen_text(pilot)
    assert reason in " ".join(text.split())
    assert "searched: batch_size 64,128" in " ".join(text.split())
    assert "…" not in text.rpartition("\n")[0], "only the keys in the last line may be more than there is room for"


async def test_what_happens_elsewhere_comes_to_the_screen(tmp_path, script):
    study(tmp_path, script)
    folder = StudyFolder.of(tmp_path, "s")
    async with staged(StudyScreen("s"), tmp_path) as pilot:
        await wait_for_text(pilot, "9 of 10 trials done: 7 finished, 1 pruned, 1 failed; 1 stopped")
        trials = Trials(folder, folder.plan())
        trials.report(9, 3, 0.8642)
        await wait_for_text(pilot, "86.42%")
        trials.finish(9, [0.9753])
        await wait_for_text(pilot, "best 97.53% by trial 9")
        await wait_for_text(pilot, "PED-ANOVA")
        assert "lr  " in screen_text(pilot)


async def test_the_cursor_stays_on_its_trial_and_the_best_is_one_key_away(tmp_path, script):
    study(tmp_path, script)
    async with staged(StudyScreen("s"), tmp_path) as pilot:
        screen = pilot.app.screen
        await wait_for_text(pilot, "trial 9 stopped")
        await pilot.press("down", "down")
        await wait_for_text(pilot, "trial 7 finished")
        await wait_for_text(pilot, "Trial 7 held-out %, by epoch")
        await pilot.press("o")
        by_value = [9, 8, 7, 6, 4, 2, 1, 0, 5, 3]
        await wait_for(pilot, lambda: [trial.number for trial in screen._trials] == by_value)
        assert screen._current.number == 7
        await pilot.press("B")
        await wait_for_text(pilot, "trial 8 finished")


async def test_pruning_asks_first_and_then_asks_the_run(tmp_path, driver):
    async with staged(StudyScreen("s"), tmp_path) as pilot:
        screen = pilot.app.screen
        await wait_for_text(pilot, "X Prune")
        run = pilot.app.store.run(screen._current.run_id)
        await pilot.press("X")
        await wait_for_text(pilot, "Prune trial 9?")
        await pilot.press("enter")
        assert not run.wants_stop(), "the first answer keeps it"
        await pilot.press("X")
        await wait_for_text(pilot, "Prune trial 9?")
        await pilot.press("down", "enter")
        await wait_for(pilot, run.wants_stop)
        await pilot.press("down")
        await wait_for(pilot, lambda: "X Prune" not in screen_text(pilot))


async def test_a_trial_is_added_to_a_grid_only_whole_and_a_failed_one_is_there_to_begin_with(tmp_path, script):
    study(tmp_path, script)
    failed = study_view(tmp_path, "s").trials[5]
    async with staged(StudyScreen("s"), tmp_path) as pilot:
        screen = pilot.app.screen
        await wait_for_text(pilot, "trial 9 stopped")
        await pilot.press(*["down"] * 4)
        await wait_for_text(pilot, "trial 5 failed  the loss is not finite")
        await pilot.press("a")
        await wait_for_text(pilot, "A grid needs all of them.")
        await pilot.press("enter")
        await wait_for(pilot, lambda: len(screen._trials) == 11)
        added = study_view(tmp_path, "s").trials[10]
    assert (added.state, added.added, dict(added.params)) == ("waiting", True, dict(failed.params))


async def test_a_study_that_dies_while_it_is_open_is_said_to_be_dead_and_has_only_the_keys_that_apply(tmp_path, script):
    study(tmp_path, script)
    folder = StudyFolder.of(tmp_path, "s")
    async with opened(tmp_path) as pilot:
        await pilot.press("4")
        await wait_for_text(pilot, "held-out")
        await pilot.press("enter")
        await wait_for_text(pilot, "trial 9 stopped")
        whole = folder.journal.read_bytes()
        folder.journal.write_bytes(whole + b"not json\n" * 2)
        await wait_for_text(pilot, "Sweep  s  damaged")
        await wait_for_text(pilot, " journal.jsonl: damaged: ")
        await wait_for(pilot, lambda: screen_text(pilot).splitlines()[-1].startswith("esc Back ^q Quit ? Help"))
        folder.journal.write_bytes(whole)
        await wait_for_text(pilot, "trial 9 stopped")
        await wait_for_text(pilot, "c Continue")
        folder.folder.rename(tmp_path / "elsewhere")
        await wait_for_text(pilot, "Sweep  s  gone")
        await wait_for(pilot, lambda: "Continue" not in screen_text(pilot))


async def test_held_out_values_by_epoch_under_a_test_objective_say_so(tmp_path, script):
    def play(run, life):
        yield script.epoch(1, 0.5, on_test=False)
        yield script.epoch(2, 0.6, on_test=False)
        yield script.finished(2, 0.7)

    locations = Locations.resolve(tmp_path, tmp_path / "data")
    drive(locations, tiny_plan({"lr": "0.1,0.2"}, objective="test", sampler="grid"), Scripted(script, play))
    async with staged(SweepsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "1 sweep")
        await pilot.press("enter")
        await wait_for_text(pilot, "Trial 1 held-out %, by epoch")
        lines = screen_text(pilot).splitlines()
    header = next(line for line in lines if "Epoch" in line)
    assert header.split()[2:4] == ["TEST", "Held-out"]
    rule = next(number for number, line in enumerate(lines) if "└┬" in line)
    assert lines[rule + 1].split("││")[1].split() == ["1", "2"], "there is no epoch in between"


async def test_enter_is_offered_only_on_a_trial_that_has_a_run(tmp_path, script):
    drive_epochs_in_and_over_budget(tmp_path, script)
    trained = next(trial for trial in study_view(tmp_path, "s").trials if trial.state == "finished")
    waiting = add_trial(tmp_path, "s", {"epochs": "30"})
    async with staged(StudyScreen("s"), tmp_path) as pilot:
        screen = pilot.app.screen
        await pilot.press("home")
        await wait_for_text(pilot, f"trial {waiting} waiting")
        await wait_for(pilot, lambda: "Open run" not in screen_text(pilot))
        await pilot.press("B")
        await wait_for_text(pilot, "enter Open run")
        assert screen._current.number == trained.number


def drive_epochs_in_and_over_budget(home, script):
    """Two proposals, one of them rejected."""
    play = Scripted(script, lambda run, life: iter([script.epoch(1, 0.5, on_test=False), script.finished(1)]))
    plan = tiny_plan({"lr": "0.1", "epochs": "2,30"}, sampler="grid", trials=2)
    drive(Locations.resolve(home, home / "data"), plan, play)


async def test_what_was_proposed_over_the_budget_is_a_line_and_what_was_added_by_hand_a_row(tmp_path, script):
    drive_epochs_in_and_over_budget(tmp_path, script)
    async with staged(StudyScreen("s"), tmp_path) as pilot:
        screen = pilot.app.screen
        await wait_for_text(pilot, "1 proposal rejected: epochs = 30")
        assert [trial.state for trial in screen._trials] == ["finished"]
        added = add_trial(tmp_path, "s", {"epochs": "30"})
        drive_epochs_in_and_over_budget(tmp_path, script)
        await wait_for_text(pilot, "2 proposals rejected")
        await wait_for(pilot, lambda: added in [trial.number for trial in screen._trials])
        assert sorted(trial.state for trial in screen._trials) == ["finished", "rejected"]


async def test_a_grid_that_is_done_asks_for_nothing_more(tmp_path, script):
    study(tmp_path, script, trials=12, running=False)
    async with staged(StudyScreen("s"), tmp_path) as pilot:
        await wait_for_text(pilot, "12 of 12 trials")
        await pilot.press("c")
        await wait_for_text(pilot, "the grid's 12 combinations are done")
        assert isinstance(pilot.app.screen, StudyScreen)


async def test_how_many_trials_more_begins_with_a_number_that_is_accepted(tmp_path, script):
    study(tmp_path, script, trials=5, running=False)
    async with staged(StudyScreen("s"), tmp_path, SMALL) as pilot:
        await wait_for_text(pilot, "5 of 5 trials")
        await pilot.press("c")
        await wait_for_text(pilot, "All 5 trials of s are done. New total:")
        dialog = pilot.app.screen
        assert (dialog.texts, dialog.judge()) == ({"trials": "10"}, 10)
        assert "enter continues it, esc cancels" in screen_text(pilot)
        await pilot.press("ctrl+u", *"13")
        await wait_for_text(pilot, "! Trials")
        said = dialog.query_one(Problem)._said
        assert said == "trials = 13: must be a whole number at least 6 and at most 12. For example 6."


@pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")  # it is left to itself
async def test_a_sweep_is_stopped_right_after_it_was_continued(tmp_path, script):
    study(tmp_path, script)
    folder = StudyFolder.of(tmp_path, "s")
    async with staged(StudyScreen("s"), tmp_path) as pilot:
        await wait_for_text(pilot, "c Continue")
        await pilot.press("c", "x")
        await wait_for_text(pilot, "s was asked to stop")
        await wait_for(pilot, lambda: not folder.is_alive())
        await wait_for_text(pilot, "Sweep  s  stopped")


async def test_a_trial_to_be_added_is_checked_as_it_is_typed(tmp_path, script):
    locations = Locations.resolve(tmp_path, tmp_path / "data")
    drive(locations, tiny_plan(trials=1), Scripted(script, lambda run, life: iter([script.failed()])))
    async with staged(StudyScreen("s"), tmp_path, SMALL) as pilot:
        screen = pilot.app.screen
        await wait_for_text(pilot, "trial 0 failed")
        await pilot.press("a")
        await wait_for_text(pilot, "The sampler chooses what is")
        await pilot.press("ctrl+u", *"7")
        await wait_for_text(pilot, "lr = 7: must be one number within 0.001:1:log")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, FormDialog), "what is wrong is not taken"
        await pilot.press("ctrl+u", "enter")
        await wait_for(pilot, lambda: len(screen._trials) == 2)
        await wait_for_text(pilot, "values left to the sampler")
        assert "1 of 2 trials done: 1 failed; 1 waiting" in screen_text(pilot)


async def test_enter_asks_for_the_run_of_a_trial_and_f_for_its_config_in_the_lab(tmp_path, script):
    study(tmp_path, script)
    async with staged(StudyScreen("s"), tmp_path) as pilot:
        await wait_for_text(pilot, "trial 9 stopped")
        await pilot.press("B")
        await wait_for_text(pilot, "trial 8 finished")
        best = pilot.app.screen._current
        await pilot.press("enter", "f")
        await wait_for(pilot, lambda: len(pilot.app.requests) == 2)
    run = pilot.app.store.find("s-8")
    assert run.id == best.run_id
    assert [(type(request), request.run) for request in pilot.app.requests] == [
        (OpenRequested, run),
        (ForkRequested, run),
    ]


async def test_a_sweep_of_another_process_is_stopped(tmp_path, driver):
    async with staged(SweepsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "1 sweep, 1 running")
        await wait_for_text(pilot, "x Stop")
        text = screen_text(pilot)
        assert "c Continue" not in text
        await pilot.press("x")
        await wait_for(pilot, lambda: driver.poll() is not None)
        await wait_for_text(pilot, "c Continue")
        assert "stopped" in screen_text(pilot)


async def test_a_new_sweep_is_checked_as_it_is_typed_and_never_takes_a_name_again(tmp_path, script):
    study(tmp_path, script, trials=2, running=False)
    async with staged(SweepsScreen(), tmp_path) as pilot:
        await wait_for_text(pilot, "1 sweep")
        await pilot.press("a")
        await wait_for_text(pilot, "New sweep")
        problem = pilot.app.screen.query_one(Problem)
        await pilot.pause()
        assert problem._said == "", "nothing has been typed yet"
        await pilot.press("enter")
        await wait_for_text(pilot, "nothing to search yet")
        await pilot.press("down")
        for text, words in {
            "--lr 0.5:0.1": "LOW must be below HIGH",
            "--drop-out 0,0.1": "did you mean --dropout?",
            "--lr": "has no values",
            "--lr 0.1,0.2 --lr 0.3": "is there twice",
            "--arch conv9,conv10": "conv10",
            "--epochs 30,40": "at most 20 within the budget",
        }.items():
            await pilot.press("ctrl+u", *text)
            await wait_for(pilot, lambda words=words: words.lower() in problem._said.lower())
        await pilot.press("ctrl+u", *"--lr 0.1,0.2", "up", "ctrl+u", *"s")
        await wait_for_text(pilot, "exists already")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, FormDialog)
        await pilot.press("ctrl+u", *"other")
        await wait_for(pilot, lambda: "exists already" not in screen_text(pilot))
        await pilot.press("escape")
        await wait_for(pilot, lambda: not isinstance(pilot.app.screen, FormDialog))
    assert not (tmp_path / "studies" / "other").exists()


async def test_a_lab_that_is_wrong_begins_no_sweep(tmp_path):
    async with opened(tmp_path) as pilot:
        await pilot.press("v", "ctrl+u", *"x", "escape")
        await pilot.press("4")
        await wait_for_text(pilot, "There are no sweeps yet")
        await pilot.press("a")
        await wait_for_text(pilot, "Learning rate must be")
        assert not isinstance(pilot.app.screen, FormDialog)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_parameters_are_drawn_against_value_one_by_one_and_all_at_once(tmp_path, script, size):
    study(tmp_path, script)
    async with staged(StudyScreen("s"), tmp_path, size) as pilot:
        await wait_for_text(pilot, "9 of 10 trials done")
        await pilot.press("v")
        await wait_for_text(pilot, "images, by batch_size")
        await pilot.press("tab")
        await wait_for_text(pilot, "images, by lr")
        await pilot.press("tab")
        await wait_for_text(pilot, "All parameters")
        await wait_for_text(pilot, "accuracy 65.00:85.00")
        await pilot.press("escape")
        await wait_for_text(pilot, "9 of 10 trials done")
