"""`run --seeds`: a group of runs, and what they come to together."""

import math
import re
from statistics import mean, stdev

import pytest
from scipy import stats


@pytest.fixture
def in_turn(train):
    """`run` for several seeds without processes of their own, whose start takes longer than these runs."""
    return lambda *arguments: train("--jobs", "1", *arguments)


@pytest.fixture
def group(in_turn):
    """Three seeds as JSON: the group's own record, and the end of each run."""
    answer = in_turn("--seeds", "0-2", "--json", "--lr", "0.3", "--batch-size", "32", "--name", "try")
    assert answer.code == 0
    return answer.records[-1], [record for record in answer.records if record["event"] == "run_finished"], answer


def test_every_seed_is_a_run_of_the_same_group_with_a_name_of_its_own(group, cli):
    rows = cli("runs", "--json", "--sort", "seed").json
    assert [row["seed"] for row in rows] == [0, 1, 2]
    assert [row["name"] for row in rows] == ["try-0", "try-1", "try-2"]
    assert {row["group_id"] for row in rows} == {group[0]["group_id"]}
    assert all(row["status"] == "finished" for row in rows)


@pytest.mark.parametrize("key", ["final_test_accuracy", "best_test_accuracy"])
def test_mean_deviation_and_interval_are_those_of_students_t(group, key):
    total, ends, _ = group
    values = [end[key] for end in ends]
    assert len(set(values)) > 1
    sample = total[key]
    assert (total["n"], total["runs"], sample["n"]) == (3, 3, 3)
    assert sample["mean"] == pytest.approx(mean(values))
    assert sample["sd"] == pytest.approx(stdev(values))
    low, high = stats.t.interval(0.95, 2, loc=mean(values), scale=stdev(values) / math.sqrt(3))
    assert (sample["low"], sample["high"]) == pytest.approx((low, high))


def test_every_line_has_event_time_and_run_id(group):
    for record in group[2].records:
        assert {"event", "time", "run_id"} <= record.keys(), record


def test_the_text_names_the_group(in_turn):
    answer = in_turn("--seeds", "0-1", "--quiet", "--name", "try")
    assert re.fullmatch(r"group try \(g\d{8}-\d{6}-[0-9a-f]{8}\): 2 of 2 runs finished", answer.out.splitlines()[2])


def test_the_text_names_mean_deviation_n_and_interval(in_turn):
    answer = in_turn("--seeds", "4-5", "--quiet", "--lr", "0.3", "--batch-size", "32")
    lines = answer.out.splitlines()
    assert sum(line.startswith("run 2") for line in lines) == 2
    assert re.fullmatch(r"group g\d{8}-\d{6}-[0-9a-f]{8}: 2 of 2 runs finished", lines[2])
    pattern = r"  (final|best) +mean \d+\.\d\d%, standard deviation \d+\.\d{3} points, n = 2, 95% interval .+% to .+%"
    assert all(re.fullmatch(pattern, line) for line in (lines[3], lines[4].removesuffix(" (optimistic)")))
    assert lines[4].endswith(" (optimistic)")
    assert lines[5:] == [
        "  target   99.4% reached by 0 of 2 (95% interval 0% to 66%), half or more never did, so no median epoch"
    ]


def test_one_seed_has_no_interval(in_turn):
    total = in_turn("--seeds", "7-7", "--json").records[-1]
    sample = total["final_test_accuracy"]
    assert (sample["n"], sample["sd"], sample["low"], sample["high"]) == (1, None, None, None)


def test_a_seed_that_fails_is_counted_but_not_averaged(in_turn, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import torch\nclass Net(torch.nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(torch.nn.Flatten(), torch.nn.Linear(784, 10))\n"
        "        self.bad, self.steps = torch.initial_seed() == 1, 0\n"
        "    def forward(self, x):\n        self.steps += self.training\n"
        "        assert not (self.bad and self.steps > 5)\n"  # not yet when it is tried
        "        return super().forward(x)\n"
    )
    answer = in_turn("--seeds", "0-2", "--json", "--batch-size", "32", "--arch", f"{path}:Net")
    assert answer.code == 1
    total = answer.records[-1]
    assert (total["runs"], total["n"], total["final_test_accuracy"]["n"]) == (3, 2, 2)


def test_with_a_validation_split_the_selected_score_is_averaged_too(in_turn):
    total = in_turn("--seeds", "0-1", "--json", "--val-split", "56").records[-1]
    assert total["selected_test_accuracy"]["n"] == 2
    assert total["best_test_accuracy"] is None


def test_each_seed_is_the_run_that_it_would_be_alone(group, train):
    alone = train("--seed", "1", "--json", "--lr", "0.3", "--batch-size", "32").records[-1]
    assert alone["weights_sha256"] == group[1][1]["weights_sha256"]


def test_a_seed_out_of_range_is_refused_before_any_other_is_trained(train, refused, store):
    refused(train("--seeds", "2147483647-2147483648"), 2, "seed", "2147483648")
    assert store.runs() == []


def test_several_seeds_at_a_time_are_told_by_a_line_an_epoch(train, monkeypatch):
    monkeypatch.setattr("experiments.execution.local_executor._cores", lambda: 2)
    answer = train("--seeds", "0-1", "--lr", "0.3")
    assert answer.code == 0
    lines = answer.out.splitlines()
    for seed in (0, 1):
        told = [line for line in lines if line.startswith(f"seed {seed}, epoch ")]
        assert [line.split(":")[0] for line in told] == [f"seed {seed}, epoch {epoch}/2" for epoch in (1, 2)]
    assert sum(line.startswith("run 2") for line in lines) == 2
    assert "2 runs, 2 at a time, of one thread each" in answer.err


def test_jobs_are_refused_where_there_is_one_run_at_a_time(train, refused):
    refused(train("--jobs", "2"), 2, "jobs", "2")
    refused(train("--jobs", "2", "--seeds", "0-1", "--detach"), 2, "jobs", "one run after the other")
