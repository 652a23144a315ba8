"""`compare` and `show GROUP` as commands: words, JSON keys, and what is refused."""

import pytest


@pytest.fixture
def seeds(train):
    """Two groups of real runs, of which the second learns faster."""

    def make(name: str, lr: str, which: str = "0-2") -> str:
        answer = train("--jobs", "1", "--seeds", which, "--json", "--lr", lr, "--batch-size", "32", "--name", name)
        return answer.records[-1]["group_id"]

    return make


def test_groups_by_name_and_single_runs_are_compared_in_words(seeds, cli):
    seeds("slow", "0.001")
    fast = seeds("fast", "0.3")
    answer = cli("compare", "slow", fast)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].split()[:3] == ["what", "n", "final"]
    assert [line.split()[0] for line in lines[1:3]] == ["slow", "fast"]
    assert any(line.split() == ["lr", "0.001", "0.3"] for line in lines)
    verdict = next(line for line in lines if "95% interval" in line and "p " in line)
    assert verdict.startswith(("fast is better by ", "cannot tell: fast is "))
    single = cli("compare", "slow-0", "slow-1").out
    assert "their configs differ in nothing but the seed" in single
    assert "test images that only slow-0 gets right: " in single
    assert "not that of the seed" in single


def test_of_three_it_is_said_what_they_are_compared_with_and_at_which_level(seeds, cli):
    for name, lr in (("slow", "0.001"), ("fast", "0.3"), ("mid", "0.03")):
        seeds(name, lr, "0-1")
    lines = cli("compare", "slow", "fast", "mid").out.splitlines()
    (note,) = (line for line in lines if "compared with slow, the first" in line)
    assert "intervals are of 97.5%" in note
    assert sum("97.5% interval" in line and "corrected for 2 comparisons" in line for line in lines) == 2


def test_the_json_has_the_keys_that_scripts_rely_on(seeds, cli):
    seeds("slow", "0.001")
    seeds("fast", "0.3")
    record = cli("compare", "slow", "fast", "--json").json
    assert set(record) == {"score", "subjects", "comparisons", "config_differences"}
    assert record["score"] == "final_test_accuracy"
    assert record["config_differences"] == {"lr": [0.001, 0.3]}
    keys = {"label", "id", "is_group", "run_ids", "n", "mean", "sd", "low", "high", "reached_target", "unfinished"}
    assert keys == set(record["subjects"][0])
    (only,) = record["comparisons"]
    assert {"first", "second", "method", "difference", "low", "high", "p", "p_adjusted", "verdict", "words"} <= set(
        only
    )
    assert {"seeds_needed", "only_first_right", "only_second_right", "notes"} <= set(only)
    means = [subject["mean"] for subject in record["subjects"]]
    assert only["difference"] == pytest.approx(means[0] - means[1])
    pair = cli("compare", "slow-0", "fast-0", "--json").json
    first, second = pair["comparisons"][0]["only_first_right"], pair["comparisons"][0]["only_second_right"]
    scores = [subject["mean"] for subject in pair["subjects"]]
    assert (first - second) / 200 == pytest.approx(scores[0] - scores[1])


def test_what_cannot_be_compared_is_refused(train, cli, refused):
    train("--name", "a", "--quiet")
    train("--name", "v", "--val-split", "56", "--quiet")
    train("--name", "fewer", "--limit-test", "100", "--quiet")
    refused(cli("compare", "a", "v"), 2, "error: val_split must be the same: it is 0 for a and above 0 for v")
    refused(cli("compare", "a", "fewer"), 2, "limit_test", "200", "100")
    refused(cli("compare", "a", "a"), 2, "named twice")
    refused(cli("compare", "a"), 2, "two or more")
    refused(cli("compare", "a", "nobody"), 5, "nobody")
    refused(cli("compare", "a", "v", "--score", "best"), 2, "val_split")


def test_a_run_that_is_not_finished_is_refused_with_its_status(store, new_run, script, cli, refused):
    new_run(script.started(), script.finished(), name="a")
    new_run(script.started(), script.stopped(), name="halted")
    refused(cli("compare", "a", "halted"), 2, "halted", "stopped")


def test_show_names_the_target_the_curve_and_the_runs_that_do_not_count(store, new_run, script, cli):
    for seed, score in enumerate((0.99, 0.995)):
        ended = script.finished(1, score, weights_sha256=f"{seed:064}")
        new_run(script.started(config={"seed": seed}), script.epoch(1, score), ended, group_id="g1")
    stopped = new_run(script.started(config={"seed": 2}), script.epoch(1, 0.9), script.stopped(1), group_id="g1")
    lines = cli("show", "g1").out.splitlines()
    epochs = lines.index(next(line for line in lines if line.startswith("epoch")))
    assert lines[epochs + 1].split() == ["1", "99.25%", "99.12%", "99.38%", "99.00%", "99.50%", "2"]
    assert "group g1: 2 of 3 runs finished" in lines
    assert (
        "  target   99.4% reached by 1 of 2 (95% interval 9% to 91%), half or more never did, so no median epoch"
        in lines
    )
    assert f"  not in   {stopped.id} (seed 2, stopped)" in lines
    record = cli("show", "g1", "--json").json
    assert (record["runs"], record["n"]) == (3, 2)
    assert record["target"]["epochs"] == [None, 1]
    assert record["unfinished"] == [{"run_id": stopped.id, "seed": 2, "status": "stopped"}]
