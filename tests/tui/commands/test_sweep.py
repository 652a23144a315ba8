"""`sweep` on the command line: what is refused before anything trains, and what is printed."""

from __future__ import annotations

import shlex
import sys

import pytest
from post_office import post_office
from sweep_tools import Scripted, drive, three_epochs, tiny_plan

from experiments.locations import Locations
from experiments.studies.folder import StudyFolder
from experiments.studies.view import study_view

SMALL = ("--dataset", "mnist-5k", "--limit-train", "256", "--limit-test", "100", "--batch-size", "128")
SMALL += ("--arch", "c4 p2 c8 gap fc10", "--epochs", "1", "--device", "cpu", "--jobs", "1", "--study", "s")
LR = ("--lr", "0.01:0.5:log")


@pytest.fixture
def sweep(cli):
    return lambda *arguments: cli("sweep", *SMALL, *arguments)


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        ((), 2, "nothing to search yet"),
        (("--lr", "0.5:0.1"), 2, "lr = 0.5:0.1: LOW must be below HIGH"),
        (("--lr", "low:high"), 2, "lr = low:high: must be a number above 0"),
        (("--arch", "conv9,conv10"), 2, "conv10"),
        (("--ema", "--val-split", "100"), 2, "ema = --val-split: is an option: a value is missing before it"),
        (("--schedule", "constant,x"), 2, "one of constant, onecycle, cosine, step"),
        (("--seed", "1,2"), 2, "takes one value"),
        ((*LR, "--trials", "0"), 2, "trials = 0"),
        ((*LR, "--trials", "1", "--race", "2"), 2, "race = 2: a race needs at least two trials"),
        ((*LR, "--sampler", "best"), 2, "one of tpe, random, grid"),
        ((*LR, "--pruner", "hard"), 2, "one of none, median, halving, early-signal"),
        ((*LR, "--objective", "loss"), 2, "one of val, test"),
        ((*LR, "--executor", "slurm"), 2, "one of local, ray"),
        ((*LR, "--sampler", "grid"), 2, "finite number of values"),
        ((*LR, "--study", "../x"), 2, "study = ../x"),
        ((*LR, "--study", ""), 2, "study = ''"),
        (("--lr", "0.01:0.1:0.045000000000000005"), 2, "divides the range evenly"),
        ((*LR, "--val-split", "0"), 2, "val_split = 0"),
        ((*LR, "--gpus-per-trial", "0.5"), 2, "there is no GPU to share"),
        ((*LR, "--gpus-per-trial", "none"), 2, "gpus_per_trial = none"),
        ((*LR, "--ray-address", "a:1"), 2, "is for --executor ray"),
        ((*LR, "--preset", "modern", "--config", "x.toml"), 2, "cannot be used with --preset"),
        ((*LR, "--limit-train", "5"), 2, "too few training images"),
        ((*LR, "--engine", "graph"), 2, "engine = graph: needs a CUDA device"),
        (("--engine", "eager,graph"), 2, "engine = eager,graph: takes one value"),
        (("--precision", "fp32,tf32"), 2, "precision = tf32: needs a CUDA device"),
        ((*LR, "--epochs", "21"), 3, "epochs = 21"),
        (("--epochs", "21,30"), 3, "the whole search space is over the budget"),
        (("--arch", "conv9,conv5", "--max-params", "100"), 3, "the whole search space is over the budget"),
        ((*LR, "--dataset", "kmnist"), 4, "cannot be downloaded"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_trains(
    sweep, refused, store, home, no_network, arguments, code, named
):
    refused(sweep(*arguments), code, named)
    assert store.runs() == []
    assert not list(home.glob("studies/*/study.json"))


def test_without_the_ray_extra_its_executor_is_refused_and_named(sweep, refused, store, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    refused(sweep(*LR, "--executor", "ray"), 2, "the ray extra")
    assert store.runs() == []


def test_a_sweep_prints_a_line_a_trial_and_the_best_config_as_flags_that_train_it_again(
    cli, sweep, home, refused, monkeypatch
):
    answer = sweep(*LR, "--trials", "2")
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert [line.split(": ")[0] for line in lines[:2]] == [f"trial {i} finished after 1 epoch" for i in range(2)]
    assert "objective: accuracy on 25 held-out training images after the last epoch" in lines
    best = study_view(home, "s").best
    command = shlex.split(lines[-1].removeprefix("best: mnist-tui "))
    again = cli(*command, "--json").records
    assert again[-2 if again[-1]["event"] != "run_finished" else -1]["event"] == "run_finished"
    assert [record["val_accuracy"] for record in again if record["event"] == "epoch_finished"] == [best.value]

    refused_again = sweep("--lr", "0.01:0.6:log", "--trials", "3")
    assert refused_again.code == 2
    assert "lr was 0.01:0.5:log, now 0.01:0.6:log" in refused_again.err

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with post_office() as office:
        monkeypatch.setenv("MNIST_TUI_NOTIFY_URL", f"{office.address}/topic")
        continued = cli("sweep", "--study", "s", "--trials", "3", "--jobs", "1", "--json")
        assert cli("sweep", "--study", "s", "--jobs", "1").code == 0  # with nothing to do, and nothing to tell
        assert [letter.headers["title"] for letter in office.letters] == ["s: sweep finished"]
    assert continued.code == 0, continued.err
    assert [record["event"] for record in continued.records] == [
        "trial_started",
        "trial_reported",
        "trial_finished",
        "sweep_finished",
    ]
    assert all({"event", "time", "run_id", "study"} <= record.keys() for record in continued.records)
    summary = continued.records[-1]
    assert (summary["trials"], summary["objective"], summary["rejected"]) == (3, "val", 0)
    assert [result["trial"] for result in summary["results"]] == [0, 1, 2]
    assert summary["best"]["value"] == max(result["value"] for result in summary["results"])

    page = home / "page.html"
    assert cli("report", "s", "-o", page).out == f"{page}\n"
    assert summary["best"]["run_id"] in page.read_text()
    for words in (("s", summary["best"]["run_id"]), ("s", "--template", "course"), ("s", "--save-wrong", home / "w")):
        refused(cli("report", *words), 2, "s")


def test_after_failed_trials_the_report_says_what_continuing_does_with_them(cli, home, script, monkeypatch):
    failing = Scripted(script, lambda run, life: iter([script.failed()]))
    drive(Locations.resolve(home, home / "data"), tiny_plan(trials=2), failing)
    answer = cli("sweep", "--study", "s", "--jobs", "1")
    assert answer.code == 1
    hint = next(line for line in answer.out.splitlines() if line.startswith("failed trials count"))
    command, _, rest = hint.partition("mnist-tui ")[2].partition(" proposes 2 others")
    assert rest == "; in mnist-tui, Add trial on a failed one proposes the same again"
    monkeypatch.setenv("COLUMNS", "40")
    answer = cli(*command.split(), "--jobs", "1")
    assert [trial.state for trial in study_view(home, "s").trials] == ["failed"] * 2 + ["finished"] * 2
    words = shlex.split(answer.out.splitlines()[-1])
    assert (words[:3], words[-2]) == (["best:", "mnist-tui", "run"], "--device"), "one line, however narrow the window"


def test_the_test_set_as_objective_is_labelled_wherever_it_is_shown(sweep, cli):
    answer = sweep(*LR, "--trials", "1", "--objective", "test")
    assert answer.code == 0, answer.err
    assert "TEST accuracy" in answer.out
    assert "optimistic" in answer.out
    assert "objective:test" in cli("runs", "--json").json[0]["tags"]
    summary = cli("sweep", "--study", "s", "--json").records[-1]
    assert (summary["objective"], summary["objective_is_optimistic"]) == ("test", True)


def test_over_budget_proposals_are_counted_beside_the_trials(sweep, cli):
    answer = sweep("--arch", "c4 p2 c8 gap fc10,conv9", "--max-params", "1000", "--sampler", "grid", "--json")
    assert answer.code == 0, answer.err
    records = answer.records
    rejected = [record for record in records if record["event"] == "proposal_rejected"]
    assert [record["params"]["arch"] for record in rejected] == ["conv9"]
    assert "over the budget" in rejected[0]["reason"]
    assert (records[-1]["trials"], records[-1]["rejected"]) == (1, 1)
    assert len(cli("runs", "--json").json) == 1


def test_a_damaged_study_is_named_and_left_alone(sweep, cli, home):
    folder = home / "studies" / "s"
    folder.mkdir(parents=True)
    (folder / "study.json").write_text("{}")
    answer = cli("sweep", "--study", "s")
    assert answer.code == 5
    assert "study.json: damaged" in answer.err
    assert (folder / "study.json").read_text() == "{}"


def test_a_study_that_is_not_there_is_named_with_those_of_a_like_name_and_not_begun(cli, refused, home):
    StudyFolder.of(home, "first").write_plan(tiny_plan())
    answer = cli("sweep", "--study", "frist", "--trials", "3")
    refused(answer, 5, "no such study: 'frist'")
    assert "did you mean first?" in answer.err
    assert not (home / "studies" / "frist").exists()


def test_a_study_goes_on_as_it_was_and_where_it_was_unless_something_else_is_said(sweep, cli, refused, home):
    assert sweep(*LR, "--trials", "1").code == 0
    folder = StudyFolder.of(home, "s")
    assert folder.plan().placement.jobs == 1
    for words, named in {
        ("--epochs", "7"): "was begun with other options: epochs was 1, now 7",
        ("--objective", "test"): "was begun with other options: its objective was val, now test",
        ("--sampler", "grid", "--lr", "0.1,0.2"): "was begun with other options: lr was 0.01:0.5:log, now 0.1,0.2",
        ("--ray-address", "a:1"): "ray_address = a:1: is for --executor ray",
    }.items():
        refused(cli("sweep", "--study", "s", *words), 2, named)
    before = folder.plan()
    answer = cli("sweep", "--study", "s", "--engine", "eager", "--pruner", "median", "--trials", "2")
    assert answer.code == 0, answer.err
    assert "pruner was none, is now median" in answer.err
    after = folder.plan()
    assert (after.placement, after.space) == (before.placement, before.space)
    assert (after.trials, after.base.engine) == (2, "eager")
    answer = cli("sweep", "--study", "s", "--trials", "1")
    assert "nothing to do: 2 trials done; --trials 12 adds 10" in answer.err


def test_a_search_by_chance_does_not_become_a_grid(cli, refused, home, script):
    plan = tiny_plan({"lr": "0.1,0.2"}, sampler="random", trials=1)
    drive(Locations.resolve(home, home / "data"), plan, Scripted(script, three_epochs(script)))
    refused(cli("sweep", "--study", "s", "--sampler", "grid"), 2, "sampler = grid: the study began with random")


def test_of_two_drivers_that_begin_at_once_the_later_changes_nothing(sweep, refused, home, monkeypatch):
    other = tiny_plan({"momentum": "0.5,0.9"})
    monkeypatch.setattr(
        "experiments.studies.proposals.check_machine", lambda plan: StudyFolder.of(home, "s").write_plan(other)
    )
    refused(sweep(*LR), 2, "study = s: was begun or changed by another process")
    assert StudyFolder.of(home, "s").plan() == other


def test_a_second_driver_is_refused_before_it_says_or_changes_anything(cli, refused, home):
    folder = StudyFolder.of(home, "s")
    folder.write_plan(tiny_plan())
    with folder.held():
        answer = cli("sweep", "--study", "s", "--trials", "50")
    refused(answer, 2, "is being run by another process")
    assert "objective" not in answer.err
    assert folder.plan().trials == tiny_plan().trials


def test_a_damaged_journal_is_one_line_however_the_study_is_continued(cli, home, script):
    drive(Locations.resolve(home, home / "data"), tiny_plan(trials=1), Scripted(script, three_epochs(script)))
    with (home / "studies" / "s" / "journal.jsonl").open("a") as journal:
        journal.write("not json\n")
    for more in ((), ("--trials", "13")):
        answer = cli("sweep", "--study", "s", *more)
        assert answer.code == 5
        assert "journal.jsonl: damaged" in answer.err
        assert "Traceback" not in answer.err


def test_a_complete_grid_counts_its_combinations_and_has_nothing_to_do(cli, home, script):
    plan = tiny_plan({"lr": "0.1,0.2"}, sampler="grid", trials=20)
    drive(Locations.resolve(home, home / "data"), plan, Scripted(script, three_epochs(script)))
    answer = cli("sweep", "--study", "s")
    assert answer.code == 0
    assert "study s: 2 trials of 2 combinations, grid" in answer.err
    assert "nothing to do: 2 trials done; that is the whole grid" in answer.err


def test_the_report_says_what_was_rejected_why_what_repeats_and_how_far_to_trust_the_best(cli, home, script):
    locations = Locations.resolve(home, home / "data")
    plan = tiny_plan({"lr": "0.1,0.2", "momentum": "0.0,0.9", "nesterov": "on"}, sampler="random", trials=12)
    drive(locations, plan, Scripted(script, three_epochs(script, 0.8)))
    view = study_view(home, "s")
    assert view.count("rejected") > 1
    answer = cli("sweep", "--study", "s")
    assert f"; {view.count('rejected')} proposals rejected: nesterov" in answer.out
    assert "10 trials repeated another's params, and took its result" in answer.out
    assert "one standard error of 80.00% on 50 images: 5.66 points" in answer.out
    assert "importance: needs 8 finished trials of different params" in answer.out
    rows = answer.out.partition("\n\n")[2].partition("one standard error")[0].splitlines()
    assert len(rows) == 3, "each config once"
    summary = cli("sweep", "--study", "s", "--json").records[-1]
    assert (summary["repeated"], summary["values_are"], summary["stopped"]) == (10, "val", False)
