"""The six claims, judged on scripted runs, and the report of them."""

import itertools
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from core.errors import InvalidValue, OverBudget
from experiments.bundles.bring_in import bring_in
from experiments.bundles.pack import pack_all
from experiments.claims.report import TITLE, charts_of, check_report_path, markdown, write_report
from experiments.claims.rules import (
    ARMS,
    CLAIMS,
    judge_dropout,
    judge_early_signal,
    judge_reaching,
    judge_restart,
    judge_tuning,
)
from experiments.claims.study import ClaimsStudy, Design, Results
from experiments.execution.executor import Slot
from experiments.execution.local_executor import LocalExecutor
from experiments.execution.runner import Runner
from experiments.results.groups import GroupMember, make_group
from experiments.runs.owner import OwnedFolder
from experiments.runs.row import Status
from experiments.runs.store import Store
from experiments.runs.view import fold

NAMES = [arm.name for arm in ARMS]


@pytest.fixture
def member(script):
    """A run with these accuracies by epoch; without a failure it is finished."""

    def make(seed: int, accuracies: tuple[float, ...], *, failed: bool = False, sha: str = "") -> GroupMember:
        config = {"seed": seed, "epochs": max(1, len(accuracies))}
        events = [script.started(config=config), *(script.epoch(n, a) for n, a in enumerate(accuracies, 1))]
        end = (
            script.failed(len(accuracies))
            if failed
            else script.finished(
                len(accuracies),
                accuracies[-1],
                best_test_accuracy=max(accuracies),
                weights_sha256=sha or f"{seed:064}",
            )
        )
        view = fold(script.entries(*events, end))
        return GroupMember(f"run-{seed}", "", Status.FAILED if failed else Status.FINISHED, view, view.config)

    return make


@pytest.fixture
def groups(member):
    """Every arm, empty but for the accuracies that a test gives."""

    def make(**arms: list[tuple[float, ...]]):
        named = {name.replace("_", "-").replace("0-", "0."): runs for name, runs in arms.items()}
        assert set(named) <= set(NAMES), named
        return {
            name: make_group(name, [member(seed, run) for seed, run in enumerate(named.get(name, []))])
            for name in NAMES
        }

    return make


LOW, HIGH = (0.98, 0.99, 0.993), (0.98, 0.99, 0.995)


@pytest.mark.parametrize(
    ("reached", "missed", "verdict"),
    [(5, 0, "holds"), (3, 0, "cannot tell"), (0, 4, "does not"), (0, 3, "cannot tell"), (7, 3, "cannot tell")],
)
def test_a_recipe_reaches_an_accuracy_when_most_of_its_seeds_do(groups, reached, missed, verdict):
    found = judge_reaching("conv9", 99.4)(groups(conv9=[HIGH] * reached + [LOW] * missed))
    assert (found.verdict, found.n, found.details["reached"]) == (verdict, reached + missed, reached)
    assert f"{reached} of {reached + missed}" in found.measured
    assert ("by half of them up to epoch 3" in found.measured) == (reached > missed)


def test_a_run_that_failed_has_not_reached_it_and_the_threshold_is_the_claims_own(groups, member):
    failed = make_group("conv5", [member(seed, (0.9,), failed=True) for seed in range(4)])
    found = judge_reaching("conv5", 99.43)({**groups(), "conv5": failed})
    assert (found.verdict, found.n) == ("does not", 4)
    at = judge_reaching("conv5", 99.43)(groups(conv5=[(0.9942,)] * 2 + [(0.9943,)] * 3))
    assert at.details["reached"] == 3


SIGNAL = (0.9911, 0.99, 0.99)
"""The first three epochs of a run with the early signal."""


def test_the_early_signal_is_held_against_what_came_of_it_over_all_recipes(groups):
    good, alarm = (*SIGNAL, 0.994), (*SIGNAL, 0.993)
    missed, right = (0.99, 0.99, 0.99, 0.995), (0.99, 0.9910, 0.99, 0.993)
    arms = {"conv9": [*[good] * 5, missed, *[right] * 3], "conv5": [*[good] * 4, alarm, *[right] * 3]}
    found = judge_early_signal(groups(**arms, again=[alarm] * 9))
    details = found.details
    assert (details["signal_and_reached"], details["signal_only"]) == (9, 1)
    assert (details["reached_only"], details["neither"]) == (1, 6)
    assert (details["precision"], details["recall"], found.n) == (0.9, 0.9, 17)
    # Of 126 * 56 ways in which the signals could have fallen, 6 * 4 have 9 in both, and 60 as few as can be.
    assert details["p_within_recipes"] == pytest.approx(24 / (126 * 56))
    assert found.verdict == "holds"


@pytest.mark.parametrize(
    ("arms", "verdict"),
    [
        ({"conv9": [(*SIGNAL, 0.993)] * 6 + [(0.99, 0.99, 0.99)] * 3}, "does not"),
        ({"conv9": [(*SIGNAL, 0.995)] * 9}, "cannot tell"),  # none without the signal to compare with
        ({"conv9": [(*SIGNAL, 0.995)] * 9 + [(0.9, 0.9, 0.9, 0.995)] * 9}, "cannot tell"),  # as often without
        # A recipe that is bad altogether has neither; within each the signal says nothing.
        ({"conv9": [(*SIGNAL, 0.995)] * 9, "conv5": [(0.9, 0.9, 0.9)] * 9}, "cannot tell"),
        ({}, "cannot tell"),
    ],
)
def test_a_signal_that_tells_nothing_does_not_hold(groups, arms, verdict):
    assert judge_early_signal(groups(**arms)).verdict == verdict


def wobbling(by: float, at: float = 0.992) -> list[tuple[float, ...]]:
    """Six runs whose accuracy goes up and down by about so much at the end."""
    return [tuple(at + by * (1 + seed / 20) * sign for sign in (-1, 1, -1, 1, -1)) for seed in range(6)]


@pytest.mark.parametrize(
    ("conv9", "dropout", "stable", "verdict"),
    [
        (wobbling(0.0010), wobbling(0.0002), "holds", "holds"),
        (wobbling(0.0010), wobbling(0.0030, 0.98), "does not", "does not"),
        (wobbling(0.0010), wobbling(0.00101), "cannot tell", "cannot tell"),
        (wobbling(0.0010), wobbling(0.0002, 0.9939), "holds", "does not"),  # some run reaches 99.4 %
    ],
)
def test_dropout_has_to_be_calmer_and_never_to_reach_the_target(groups, conv9, dropout, stable, verdict):
    found = judge_dropout(groups(conv9=conv9, dropout_0_05=dropout, dropout_0_1=dropout))
    assert (found.details["more_stable"], found.verdict) == (stable, verdict)


def test_one_rate_of_dropout_that_is_not_calmer_leaves_it_open(groups):
    arms = {"dropout_0_05": wobbling(0.0002), "dropout_0_1": wobbling(0.00101)}
    assert judge_dropout(groups(conv9=wobbling(0.0010), **arms)).details["more_stable"] == "cannot tell"


@pytest.mark.parametrize(
    ("bests", "verdict", "differing"),
    [((0.994, 0.993, 0.994), "holds", 2), ((0.994,) * 3, "does not", 0), ((0.994,), "cannot tell", 0)],
)
def test_restarts_are_told_apart_by_seed(groups, bests, verdict, differing):
    runs = [(best,) for best in bests]
    found = judge_restart(groups(conv9=runs, again=runs[:2]))
    assert (found.verdict, found.details["differing_pairs"]) == (verdict, differing)
    assert found.details["same_seed"] == found.details["same_seed_same_weights"] == min(2, len(runs))


def test_a_repetition_with_other_weights_is_told(groups, member):
    arms = groups(conv9=[HIGH, LOW])
    arms["again"] = make_group("again", [member(0, HIGH), member(1, LOW, sha="f" * 64)])
    assert "with the same seed: 1 of 2 runs ended with the same weights" in judge_restart(arms).measured


def spread(mean: float) -> list[tuple[float, ...]]:
    return [(mean + offset,) for offset in (-2e-4, -1e-4, 0.0, 1e-4, 2e-4)]


@pytest.mark.parametrize(
    ("lr", "small", "middle", "verdict"),
    [
        (0.9920, 0.9920, 0.9920, "holds"),
        (0.9920, 0.9920, 0.9941, "cannot tell"),
        (0.9920, 0.9960, 0.9920, "does not"),
        (0.9939, 0.9939, 0.9939, "cannot tell"),
    ],
)
def test_the_tuning_claim_needs_all_three_gains(groups, lr, small, middle, verdict):
    arms = {"lr_0_035": spread(lr), "batch_64": spread(small), "batch_128": spread(middle)}
    found = judge_tuning(groups(conv9=spread(0.9940), **arms))
    assert (found.verdict, found.n) == (verdict, 20)
    assert found.details["lr-0.035"]["difference"] == pytest.approx(0.994 - lr)


def test_without_runs_no_claim_is_decided(groups):
    for claim in CLAIMS:
        found = claim.judge(groups())
        assert (found.verdict, found.n) == ("cannot tell", 0)


def test_claims_are_those_of_the_exercise_in_its_order():
    assert [claim.number for claim in CLAIMS] == [1, 2, 3, 4, 5, 6]
    design = Design.of(3)
    configs = {arm.name: design.config(arm, 2) for arm in ARMS}
    base = configs["conv9"]
    assert (base.arch, base.batch_size, base.lr, base.epochs, base.seed) == ("conv9", 256, 0.03772, 20, 2)
    assert configs["again"] == base
    for name, changes in {
        "conv5": {"arch": "conv5"},
        "lr-0.035": {"lr": 0.035},
        "batch-64": {"batch_size": 64},
        "batch-128": {"batch_size": 128},
        "dropout-0.05": {"dropout": 0.05},
        "dropout-0.1": {"dropout": 0.1},
    }.items():
        assert configs[name] == base.changed(**changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dataset": "mnist-5k"}, "the data set is mnist-5k"),
        ({"limit_train": 1000}, "only 1,000 training images"),
        ({"limit_test": 1000}, "only 1,000 test images"),
        ({"epochs": 5}, "runs had 5 epochs, not 20"),
    ],
)
def test_whatever_is_not_as_in_the_exercise_is_no_evidence(changes, reason):
    found = Design.of(5, **{"dataset": "mnist", **changes}).shortcomings()
    assert len(found) == 1
    assert reason in found[0]
    assert Design.of(5, dataset="mnist").shortcomings() == []


def test_impossible_designs_are_refused():
    with pytest.raises(OverBudget):
        Design.of(2, epochs=21)
    for dataset in ("cifar", "fashion", "emnist-digits", "./mine"):
        with pytest.raises(InvalidValue, match="must be one of auto, mnist, mnist-5k"):
            Design.of(2, dataset=dataset)


@pytest.fixture
def results(groups):
    """Two seeds of everything, on full MNIST."""
    arms = {name: [(0.97, 0.99, 0.9915, 0.994 + seed / 1e4) for seed in range(2)] for name in ("conv9", "again")}
    arms |= {name: [HIGH, LOW] for name in ("conv5", "lr_0_035", "batch_64", "dropout_0_05", "dropout_0_1")}
    found = groups(**arms)
    environment = {"cpu": "a processor", "device": "cpu", "python": "3.11", "torch": "2", "mnist-tui": "0.1"}
    findings = tuple((claim, claim.judge(found)) for claim in CLAIMS)
    return Results(Design.of(2, dataset="mnist"), found, findings, ({**environment, "git_revision": "abc"},))


def test_the_report_has_every_claim_its_numbers_and_what_it_was_made_on(results):
    page = markdown(results, dict.fromkeys(("curves", "recipes", "early"), "x.svg"))
    assert page.startswith(TITLE)
    for claim, finding in results.findings:
        assert f"| {claim.number} | {claim.text} | {finding.measured} | {finding.n} | **{finding.verdict}** |" in page
    assert "| above 99.10% within 3 epochs | 7 | 5 |\n| not | 0 | 0 |" in page
    assert "- a processor, cpu: Python 3.11, torch 2, mnist-tui 0.1, revision abc" in page
    assert "no evidence" not in page
    assert "preliminary" in page  # batch-128 has no runs
    assert page.count("x.svg") == 3


def test_the_report_of_a_trial_says_that_it_is_no_evidence(results):
    page = markdown(
        replace(results, design=Design.of(2, limit_train=9)), dict.fromkeys(("curves", "recipes", "early"), "")
    )
    assert "**This is no evidence for or against the claims: the data set is auto, not full MNIST; only 9" in page


def test_charts_are_drawn_of_whatever_there_is(results, groups):
    for found in (results, replace(results, groups=groups())):
        for text in charts_of(found).values():
            ElementTree.fromstring(text)
            assert "nan" not in text


def test_a_report_is_written_with_its_charts_and_replaces_only_a_report(results, tmp_path):
    path = tmp_path / "six.md"
    for _ in range(2):
        check_report_path(path)
        write_report(results, path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "six-curves.svg",
        "six-early.svg",
        "six-recipes.svg",
        "six.md",
    ]
    assert "(six-early.svg)" in path.read_text()
    path.write_text("# Notes of mine")
    with pytest.raises(InvalidValue, match="would be lost"):
        check_report_path(path)


@pytest.mark.parametrize(
    ("name", "reason"), [("six.txt", "end in .md"), ("none/six.md", "no folder"), (".md/x.md", "no folder")]
)
def test_a_report_that_could_not_be_written_is_refused_before_anything_trains(tmp_path, name, reason):
    with pytest.raises(InvalidValue, match=reason):
        check_report_path(tmp_path / name)


def test_only_runs_of_the_study_and_of_its_config_count(store, new_run, script):
    design = Design.of(1, dataset="mnist")
    wanted = ClaimsStudy(store, design).specs()
    assert len(wanted) == len(ARMS)
    first = wanted[0]
    counter = itertools.count()

    def add(tags: tuple[str, ...], **changes: object):
        run = store.create(first.config.changed(**changes), replace(first.meta, tags=tags), {})
        script.write(
            run,
            script.started(config=first.config.changed(**changes).model_dump()),
            script.finished(20, 0.99, weights_sha256=f"{next(counter):064}"),
        )
        run.release()
        return run

    add(())
    add(("claims",))
    add(first.meta.tags, epochs=19)
    add(first.meta.tags, seed=7)
    assert ClaimsStudy(store, design).groups()["conv9"].members == ()
    mine = add(first.meta.tags, device="cpu")
    found = ClaimsStudy(store, design)
    assert [member.run_id for member in found.groups()["conv9"].members] == [mine.id]
    assert found.specs()[0].meta.group_id == mine.meta().group_id
    add(first.meta.tags)
    assert len(found.groups()["conv9"].members) == 1
    assert Results.of(found).is_complete is False


def test_runs_that_another_machine_has_trained_count_where_they_are_brought_in(locations, tmp_path):
    runner = Runner(locations)
    design = Design.of(1, dataset="mnist-5k", epochs=1, limit_train=128, limit_test=50, device="cpu")
    spec = ClaimsStudy(runner.store, design).specs()[0]
    run = runner.store.run(list(runner.run(spec.config, spec.meta))[-1].run_id)
    (tmp_path / "claims.zip").write_bytes(pack_all(spec.meta.group_id, [run], logs=True, anonymous=True))
    there = Store(tmp_path / "there")
    bring_in(there, tmp_path / "claims.zip")
    study = ClaimsStudy(there, design)
    assert [member.run_id for member in study.groups()["conv9"].decided] == [run.id]
    assert study.specs()[0].meta.group_id == spec.meta.group_id


def test_without_evidence_no_part_of_a_claim_is_decided_either(groups):
    calm = wobbling(0.0002)
    found = judge_dropout(groups(conv9=wobbling(0.0010), dropout_0_05=calm, dropout_0_1=calm))
    assert found.measured.count(": holds (") == 2
    open_ = found.undecided()
    assert (open_.verdict, open_.details["more_stable"], open_.details["cannot_reach"]) == ("cannot tell",) * 3
    assert open_.measured == found.measured.replace(": holds (", ": cannot tell (")
    assert (open_.n, open_.details["reached"]) == (found.n, found.details["reached"])


def test_more_epochs_than_in_the_exercise_are_refused_in_the_commands_own_terms():
    with pytest.raises(OverBudget) as caught:
        Design.of(2, epochs=30)
    assert caught.value.message == "epochs = 30: at most 20, as in the exercise"
    assert "max epochs" not in caught.value.hint
    assert "budget" not in caught.value.hint


def test_of_two_processes_that_train_the_claims_of_one_home_the_second_is_refused(store, locations):
    study = ClaimsStudy(store, Design.of(1, dataset="mnist"))
    runner, executor = Runner(locations), LocalExecutor(locations, [Slot(0)])
    with OwnedFolder(store.home / "claims").held(), pytest.raises(InvalidValue, match="another process works on it"):
        list(study.train(runner, executor, lambda: ""))
    assert store.runs() == []
