"""Comparisons: which method fits which subjects, what is refused, and what the verdict says."""

import itertools

import pytest
import torch

from core.errors import InvalidValue, RunError
from experiments.results.compare import compare
from experiments.runs.predictions import write_predictions

IMAGES = 10_000
counter = itertools.count()


@pytest.fixture
def finished(new_run, script):
    """A finished run of this accuracy; with `wrong`, predictions are stored: 1 for these images, else 0, the label."""

    def make(
        final: float = 0.99,
        *,
        group: str | None = None,
        name: str = "",
        wrong: tuple[int, ...] | None = None,
        config: dict | None = None,
        sha: str = "",
        **started: object,
    ):
        number = next(counter)
        config = {"seed": number, **(config or {})}
        selected = final if config.get("val_split") else None
        run = new_run(
            script.started(config=config, **started),
            script.epoch(1, final),
            script.finished(1, final, selected_test_accuracy=selected, weights_sha256=sha or f"{number:064}"),
            name=name,
            group_id=group,
        )
        if wrong is not None:
            labels = torch.zeros(IMAGES, dtype=torch.uint8)
            given = labels.clone()
            given[list(wrong)] = 1
            write_predictions(run.predictions, {"labels": labels, "final": given}, "mnist")
        return run

    return make


@pytest.fixture
def group(finished):
    def make(group_id: str, *scores: float, **options: object):
        return [finished(score, group=group_id, **options) for score in scores]

    return make


def test_groups_that_share_results_say_so(finished, group, store):
    for group_id, seeds in (("ga", (0, 1, 2)), ("gb", (1, 2, 3))):
        for seed in seeds:
            finished(0.99 + seed / 1000, group=group_id, config={"seed": seed}, sha=f"{seed:064}")
    group("gc", 0.99, 0.991)
    shared, apart = compare(store, ["ga", "gb", "gc"]).comparisons
    assert any(note.startswith("both have 2 runs of the same final weights") for note in shared.notes)
    assert not any("same final weights" in note for note in apart.notes)


def test_two_groups_are_compared_by_welch_and_the_better_one_is_named(group, store):
    group("ga", 0.9940, 0.9942, 0.9938, 0.9941)
    group("gb", 0.9920, 0.9922, 0.9918, 0.9921)
    only = compare(store, ["ga", "gb"]).comparisons[0]
    assert (only.method, only.better.label) == ("welch", "ga")
    assert only.difference.value == pytest.approx(0.002)
    assert only.in_words().startswith("ga is better by 0.20 points (95% interval 0.17 to 0.23, p < 0.001)")
    turned = compare(store, ["gb", "ga"]).comparisons[0]
    assert turned.in_words() == only.in_words()
    assert (turned.to_json()["verdict"], only.to_json()["verdict"]) == ("worse", "better")


def test_what_cannot_be_told_says_so_and_how_many_seeds_would_tell(group, store):
    group("ga", 0.9940, 0.9950, 0.9930)
    group("gb", 0.9938, 0.9951, 0.9925, config={"lr": 0.1})
    only = compare(store, ["ga", "gb"]).comparisons[0]
    assert only.better is None
    words = only.in_words()
    assert words.startswith("cannot tell: ga is 0.020 points above gb (95% interval -0.2")
    assert words.endswith(f"{only.seeds} seeds of each would show it in four cases of five")
    assert only.seeds > 300


def test_groups_that_do_not_vary_leave_nothing_to_tell_chance_by(group, store):
    group("ga", 0.994, 0.994)
    group("gb", 0.992, 0.992)
    only = compare(store, ["ga", "gb"]).comparisons[0]
    assert only.better is None
    assert "cannot tell: ga is 0.20 points above gb, and without a spread between seeds" in only.in_words()


def test_two_runs_are_compared_image_by_image(finished, store):
    finished(name="a", wrong=tuple(range(50, 60)))
    finished(name="b", wrong=tuple(range(30)), config={"lr": 0.1})
    only = compare(store, ["a", "b"]).comparisons[0]
    assert (only.method, only.disagreements, only.better.label) == ("mcnemar", (30, 10), "a")
    assert only.difference.value == pytest.approx(0.002)
    assert "compare groups of several seeds to know which recipe is better" in only.notes[-1]


def test_of_one_recipe_with_itself_no_recipe_is_said_to_be_better(finished, group, store):
    finished(name="a", wrong=(1, 2))
    finished(name="b", wrong=(3,), config={"engine": "native", "device": "cpu"})
    group("ga", 0.9940, 0.9950, 0.9930)
    group("gb", 0.9938, 0.9951, 0.9925)
    for references, note in (
        (["a", "b"], "not that of the seed: these are two networks of one recipe"),
        (["a", "ga"], "what one more seed of the group could give; they are of one recipe"),
        (["ga", "gb"], "both are of one recipe: what they differ by is chance"),
    ):
        only = compare(store, references).comparisons[0]
        assert note in only.notes[-1]
        assert (only.seeds, only.in_words()[-1]) == (None, ")"), "there is no difference that more seeds would show"


def test_equal_predictions_are_told_and_nothing_is_better(finished, store):
    finished(name="a", wrong=(1, 2), sha="1" * 64)
    finished(name="b", wrong=(1, 2), sha="1" * 64)
    only = compare(store, ["a", "b"]).comparisons[0]
    assert (only.better, only.difference.value, only.difference.p) == (None, 0.0, 1.0)
    assert only.in_words().startswith("cannot tell: a and b score the same (95% interval -0.0")
    assert any("same class" in note for note in only.notes)
    assert any("bit for bit" in note for note in only.notes)


def test_without_stored_predictions_two_single_runs_cannot_be_told_apart(finished, store):
    finished(0.994, name="a", wrong=(1,))
    finished(0.990, name="b")
    only = compare(store, ["a", "b"]).comparisons[0]
    assert only.better is None
    assert only.in_words() == "cannot tell: a is 0.40 points above b, and one of them has no stored predictions"
    assert any("stored for b:" in note for note in only.notes)


def test_damaged_predictions_are_not_passed_over(finished, store):
    run = finished(name="a", wrong=(1,))
    finished(name="b", wrong=(2,))
    run.predictions.write_bytes(b"damage")
    with pytest.raises(RunError, match="damaged"):
        compare(store, ["a", "b"])


def test_runs_whose_test_images_have_other_labels_are_refused(finished, store):
    finished(name="a", wrong=(1,))
    other = finished(name="b", wrong=(2,))
    labels = torch.ones(IMAGES, dtype=torch.uint8)
    write_predictions(other.predictions, {"labels": labels, "final": labels.clone()}, "mnist")
    with pytest.raises(InvalidValue, match="a and b must be scored on the same test images, and their labels differ"):
        compare(store, ["a", "b"])


@pytest.mark.parametrize(("score", "better"), [(0.9930, "ga"), (0.9939, None), (0.9955, "one")])
def test_a_single_run_is_held_against_what_the_group_could_give(finished, group, store, score, better):
    group("ga", 0.9940, 0.9942, 0.9938, 0.9941)
    finished(score, name="one")
    for references in (["ga", "one"], ["one", "ga"]):
        only = compare(store, references).comparisons[0]
        assert only.method == "prediction"
        assert (only.better.label if only.better else None) == better
        assert (only.difference.low > 0 or only.difference.high < 0) == (better is not None)
        sign = 1 if references[0] == "ga" else -1
        assert only.difference.value == pytest.approx(sign * (0.994025 - score))
        assert only.difference.low < only.difference.value < only.difference.high


def test_a_group_of_which_one_run_finished_is_a_single_run(finished, group, store):
    group("ga", 0.994, wrong=(1,))
    finished(name="b", wrong=(2,))
    assert compare(store, ["ga", "b"]).comparisons[0].method == "mcnemar"


def test_several_are_compared_with_the_first_and_share_the_chance_of_being_wrong(group, store):
    group("ga", 0.9940, 0.9944, 0.9936, 0.9942)
    group("gb", 0.9933, 0.9937, 0.9929, 0.9935)
    group("gc", 0.9939, 0.9945, 0.9934, 0.9941)
    alone = compare(store, ["ga", "gb"])
    report = compare(store, ["ga", "gb", "gc"])
    assert [(one.first.label, one.second.label) for one in report.comparisons] == [("ga", "gb"), ("ga", "gc")]
    assert report.comparisons[0].p_adjusted == pytest.approx(2 * alone.comparisons[0].difference.p)
    assert [one.to_json()["level"] for one in report.comparisons] == pytest.approx([0.975, 0.975])
    assert report.note.startswith("each is compared with ga, the first; intervals are of 97.5%, so that all 2 ")
    assert alone.note == ""


def test_an_interval_beside_a_verdict_is_the_one_that_the_verdict_is_of(group, store):
    """By itself the second group would be found worse; as one of two comparisons it is not."""
    group("ga", 0.9940, 0.9944, 0.9936, 0.9942)
    group("gb", 0.9933, 0.9937, 0.9929, 0.9935)
    group("gc", 0.9939, 0.9945, 0.9934, 0.9941)
    alone = compare(store, ["ga", "gb"]).comparisons[0]
    assert alone.better.label == "ga"
    assert alone.in_words().startswith("ga is better by 0.070 points (95% interval 0.0")
    together = compare(store, ["ga", "gb", "gc"]).comparisons[0]
    assert together.better is None
    assert together.difference.low < 0 < together.difference.high
    words = together.in_words()
    assert words.startswith("cannot tell: ga is 0.070 points above gb (97.5% interval -0.0")
    assert f"p = {together.p_adjusted:.3f} corrected for 2 comparisons)" in words


def test_an_interval_that_ends_at_zero_does_not_seem_to_go_beyond(finished, store):
    for name, wrong in (("a", range(7)), ("b", ()), ("c", range(8)), ("d", range(9))):
        finished(name=name, wrong=tuple(wrong))
    words = compare(store, ["a", "b", "c", "d"]).comparisons[0].in_words()
    assert words.startswith("b is better by 0.070 points (98.33% interval 0.000 to 0.1")


def test_config_differences_are_those_of_the_recipe(group, store):
    group("ga", 0.994, 0.993, config={"lr": 0.03, "device": "cpu"})
    group("gb", 0.994, 0.993, config={"lr": 0.1, "epochs": 10})
    assert compare(store, ["ga", "gb"]).config_differences() == {"epochs": [20, 10], "lr": [0.03, 0.1]}


def test_runs_that_do_not_count_are_named(group, store, new_run, script):
    group("ga", 0.994, 0.993)
    group("gb", 0.994, 0.993)
    failed = new_run(script.started(config={"seed": 99}), script.failed(), group_id="ga")
    note = compare(store, ["ga", "gb"]).comparisons[0].notes[0]
    assert note == f"ga: not counted, and perhaps not by chance: {failed.id} (failed)"


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"dataset": "mnist"}, {"dataset": "mnist-5k"}, "dataset: mnist, mnist-5k"),
        ({"test_images": 10_000}, {"test_images": 5_000}, "limit_test: 10,000 test images, 5,000 test images"),
        ({}, {"config": {"val_split": 5000}}, "val_split: 0, above 0"),
        ({}, {"config": {"stop_at_target": True}}, "stop_at_target: off, on at 99.4%"),
        (
            {"config": {"stop_at_target": True, "target": 99.0}},
            {"config": {"stop_at_target": True, "target": 99.4}},
            "stop_at_target: on at 99.0%, on at 99.4%",
        ),
    ],
)
def test_what_was_not_scored_alike_is_refused(finished, group, store, one, other, words):
    field, values = words.split(": ")
    here, there = values.rsplit(", ", 1)
    finished(name="a", wrong=(), **one)
    finished(name="b", wrong=(), **other)
    group("ga", 0.99, 0.98, **one)
    group("gb", 0.99, 0.98, **other)
    for first, second in (("a", "b"), ("ga", "gb"), ("a", "gb"), ("ga", "b")):
        with pytest.raises(InvalidValue) as caught:
            compare(store, [first, second])
        assert caught.value.field == field
        assert caught.value.message == f"{field} must be the same: it is {here} for {first} and {there} for {second}"
        assert f"train one of them again with the other's {field.replace('_', ' ')}, or " in caught.value.hint


def test_held_out_images_may_be_of_any_number(group, store):
    group("ga", 0.99, 0.98, config={"val_split": 5000})
    group("gb", 0.99, 0.97, config={"val_split": 1000})
    assert len(compare(store, ["ga", "gb"]).comparisons) == 1


def test_another_target_that_ends_no_run_changes_no_score(group, store):
    group("ga", 0.994, 0.993, config={"target": 99.0})
    group("gb", 0.994, 0.992, config={"target": 99.4})
    assert compare(store, ["ga", "gb"]).config_differences() == {"target": [99.0, 99.4]}


def test_runs_named_twice_and_shared_ones_are_refused(finished, group, store):
    finished(name="a", wrong=())
    member = group("ga", 0.99, 0.98)[0]
    for references, words in (
        (["a", "a"], "a was named twice"),
        (["ga", "ga"], "ga was named twice"),
        (["ga", member.id], f"{member.id} is in both ga and {member.id}; name it once"),
    ):
        with pytest.raises(InvalidValue) as caught:
            compare(store, references)
        assert caught.value.message == words
        assert caught.value.hint == "name another run or group: the index of runs lists them"


def test_what_is_not_finished_is_refused_with_its_status(finished, store, new_run, script):
    finished(name="a", wrong=())
    live = new_run(script.started(), script.epoch(1), name="live")
    halted = new_run(script.started(), script.stopped(), name="halted", group_id="gs")
    for reference, words, hint in (
        ("live", "only finished runs can be compared; run live is running", f"wait for it: watch {live.id}"),
        ("halted", "only finished runs can be compared; run halted is stopped", f"resume {halted.id} continues it"),
        ("gs", f"no finished run to compare: {halted.id} stopped", "resume gs continues it"),
    ):
        with pytest.raises(InvalidValue) as caught:
            compare(store, ["a", reference])
        assert caught.value.message.endswith(words)
        assert caught.value.hint.endswith(hint)


def test_what_has_failed_is_not_said_to_finish_when_it_goes_on(finished, store, new_run, script):
    finished(name="a", wrong=())
    for _ in range(2):
        failed = new_run(script.started(), script.failed(), name="bad", group_id="gf")
    for reference in (failed.id, "gf"):
        with pytest.raises(InvalidValue) as caught:
            compare(store, ["a", reference])
        assert caught.value.hint == "the loss is not finite: use a lower lr than 0.03772"
    new_run(script.started(), script.stopped(), name="halted", group_id="gf")
    with pytest.raises(InvalidValue) as caught:
        compare(store, ["a", "gf"])
    assert caught.value.hint == "resume gf continues it"


def test_a_group_of_several_recipes_is_refused(finished, store):
    finished(name="a", wrong=())
    finished(group="gx", config={"lr": 0.1})
    finished(group="gx", config={"lr": 0.2})
    with pytest.raises(InvalidValue, match="differ in lr"):
        compare(store, ["a", "gx"])


def test_one_subject_is_too_few(finished, store):
    finished(name="a")
    with pytest.raises(InvalidValue, match="two or more"):
        compare(store, ["a"])


def test_scores_that_a_run_does_not_have_are_refused(finished, group, store):
    finished(name="a", wrong=())
    finished(name="b", wrong=())
    group("ga", 0.99, 0.98)
    group("gb", 0.99, 0.97)
    with pytest.raises(InvalidValue, match="must be one that all of them have: a has no selected accuracy"):
        compare(store, ["a", "b"], "selected")
    with pytest.raises(InvalidValue, match="must not be best for two single runs: no predictions are kept"):
        compare(store, ["a", "b"], "best")
    assert any("optimistic" in note for note in compare(store, ["ga", "gb"], "best").comparisons[0].notes)


def test_the_selected_score_is_compared_by_its_own_predictions(finished, store):
    for name, wrong in (("a", ()), ("b", range(40))):
        run = finished(name=name, wrong=(), config={"val_split": 5000})
        labels = torch.zeros(IMAGES, dtype=torch.uint8)
        chosen = labels.clone()
        chosen[list(wrong)] = 1
        write_predictions(run.predictions, {"labels": labels, "final": labels.clone(), "selected": chosen}, "mnist")
    assert compare(store, ["a", "b"]).comparisons[0].disagreements == (0, 0)
    assert compare(store, ["a", "b"], "selected").comparisons[0].disagreements == (40, 0)


def test_a_group_is_found_by_its_name_and_by_the_beginning_of_its_id(finished, store):
    for group_id, name in (("g20260101-000000-aaaa", "base"), ("g20260101-000000-bbbb", "wide")):
        for seed in (0, 1):
            finished(0.99 - seed / 1000, group=group_id, name=f"{name}-{seed}", config={"seed": seed})
    report = compare(store, ["base", "g20260101-000000-b"])
    assert [subject.label for subject in report.subjects] == ["base", "wide"]
    with pytest.raises(InvalidValue, match="matches 2 groups"):
        compare(store, ["base", "g2026"])
    with pytest.raises(RunError, match="no such run"):
        compare(store, ["base", "gx"])


def test_groups_of_one_name_are_called_by_their_ids(finished, store):
    for group_id in ("g1", "g2"):
        for seed in (0, 1):
            finished(0.99 - seed / 1000, group=group_id, name=f"base-{seed}", config={"seed": seed})
    assert [subject.label for subject in compare(store, ["g1", "g2"]).subjects] == ["g1", "g2"]


def test_with_several_comparisons_the_seeds_needed_allow_for_the_correction(group, store):
    group("ga", 0.9940, 0.9944, 0.9936, 0.9942)
    group("gb", 0.9939, 0.9943, 0.9934, 0.9941, config={"lr": 0.1})
    group("gc", 0.9938, 0.9945, 0.9934, 0.9941, config={"lr": 0.2})
    alone = compare(store, ["ga", "gb"]).comparisons[0]
    together = compare(store, ["ga", "gb", "gc"]).comparisons[0]
    assert (together.difference.value, together.difference.p) == (alone.difference.value, alone.difference.p)
    assert 1.1 < together.seeds / alone.seeds < 1.4
    assert together.in_words().endswith("in four cases of five, the correction allowed for")
