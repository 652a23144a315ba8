"""`run --group`: more seeds for a group that is there."""

import pytest


@pytest.fixture
def group(train):
    """A group of two seeds with a name and a tag, of a recipe of its own."""
    answer = train("--jobs", "1", "--seeds", "0-1", "--lr", "0.05", "--name", "base", "--tag", "mine", "--json")
    return answer.records[-1]["group_id"]


def test_more_seeds_are_trained_as_the_group_was_and_count_in_it(cli, train, store, group):
    answer = cli("run", "--group", "base", "--seeds", "2-3", "--jobs", "1", "--json")
    assert answer.code == 0
    assert (answer.records[-1]["group_id"], answer.records[-1]["n"]) == (group, 4)
    rows = {row.seed: row for row, _ in store.rows()}
    assert [(rows[seed].name, rows[seed].tags) for seed in (2, 3)] == [("base-2", ("mine",)), ("base-3", ("mine",))]
    alone = train("--seed", "3", "--lr", "0.05", "--json").records[-1]["weights_sha256"]
    ends = [record for record in answer.records if record["event"] == "run_finished"]
    assert ends[-1]["weights_sha256"] == alone


def test_a_new_group_of_a_name_that_is_taken_says_how_to_add_to_the_old_one(train, group):
    answer = train("--jobs", "1", "--seeds", "2-2", "--name", "base")
    assert answer.code == 0
    assert "there is a group base already; to add seeds to it, give --group base instead of --name" in answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("base",), 2, "group = base: needs the seeds to add"),
        (("base", "--seeds", "1-2"), 2, "seeds = 1-2: the group has 1 already"),
        (("base", "--seeds", "2-3", "--lr", "0.1"), 2, "lr = 0.1: the group's runs have 0.05"),
        (("base", "--seeds", "2-3", "--arch", "conv5"), 2, "arch = conv5: the run's network is"),
        (("base", "--seeds", "2-3", "--preset", "modern"), 2, "preset = modern: cannot be used with --group"),
        (("base", "--seeds", "2-3", "--name", "other"), 2, "name = other: cannot be used with --group"),
        (("base", "--seeds", "2-3", "--tag", "a"), 2, "tag = a: cannot be used with --group"),
        (("base", "--seeds", "2-3", "--seed", "5"), 2, "cannot be used with --seed"),
        (("none", "--seeds", "2-3"), 5, "no such group: 'none'"),
    ],
)
def test_what_does_not_fit_the_group_is_refused(cli, refused, store, group, arguments, code, named):
    refused(cli("run", "--group", *arguments), code, named)
    assert len(store.runs()) == 2


def test_a_group_that_is_not_of_one_recipe_takes_no_more(cli, refused, new_run, script):
    for seed, rate in ((0, 0.1), (1, 0.2)):
        new_run(script.started(config={"seed": seed, "lr": rate}), script.finished(), name=f"x-{seed}", group_id="g1")
    refused(cli("run", "--group", "x", "--seeds", "2-3"), 2, "group = x: its runs differ in lr")


def test_a_process_of_its_own_would_go_on_with_unfinished_runs_too_so_these_come_first(cli, refused, group, store):
    run = store.find_all(group)[1]
    (run.folder / "events.jsonl").write_text("")
    refused(cli("run", "--group", "base", "--seeds", "2-3", "--detach"), 2, "group = base: has unfinished runs")
