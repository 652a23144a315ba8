"""Averages, teachers and views on the command line."""

from __future__ import annotations

import json

import pytest

SMALL = ("--dataset", "mnist-5k", "--limit-train", "256", "--limit-test", "100", "--batch-size", "128")
SMALL += ("--arch", "c4 p2 c8 gap fc10", "--device", "cpu")


@pytest.fixture
def trained(cli):
    def train(*arguments: str) -> dict[str, dict]:
        """The events of a run, the last of each name."""
        result = cli("run", *SMALL, "--json", *arguments)
        assert result.code == 0, result.err
        return {record["event"]: record for record in map(json.loads, result.out.splitlines())}

    return train


def test_a_run_learns_from_one_that_is_called_by_its_name(cli, trained):
    teacher = trained("--epochs", "1", "--name", "big")["run_started"]["run_id"]
    student = trained("--epochs", "2", "--teacher", "big", "--teacher-weight", "0.7", "--swa", "--swa-start", "0")
    started, run_id = student["run_started"], student["run_started"]["run_id"]
    assert started["config"]["teacher"] == teacher
    assert len(started["teacher"]) == 64
    assert f"learns from run {teacher}" in started["note"]
    assert "mean of the weights of all epochs from 1 on" in started["note"]
    assert cli("rm", "--yes", teacher).code == 0
    assert cli("verify", run_id).code == 0
    assert teacher in cli("show", run_id).out
    assert cli("resume", run_id, "--epochs", "3").code == 2  # the mean was laid out for two


def test_a_score_with_views_stands_apart(cli, trained, tmp_path):
    events = trained("--epochs", "2", "--tta", "shift", "--name", "seen")
    end = events["run_finished"]
    assert end["tta_test_correct"] == round(100 * end["tta_test_accuracy"])
    words = f"with test-time augmentation (shift, 5 views): {100 * end['tta_test_accuracy']:.2f}%"
    assert cli("show", "seen").out.count(words) == 1
    row = json.loads(cli("runs", "--json").out)[0]
    assert row["final_test_accuracy"] == end["final_test_accuracy"]
    assert cli("report", "seen", "-o", tmp_path / "page.html").code == 0
    assert words in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--teacher", "nobody"), "teacher = nobody: no such run"),
        (("--swa", "--ema"), "swa = True: cannot be used with ema"),
        (("--tta", "flip"), "tta = flip: must be one of none, shift, affine"),
        (("--teacher", "x", "--teacher-weight", "2"), "teacher_weight = 2.0: must be a number above 0 and at most 1"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(cli, refused, arguments, named):
    refused(cli("run", *SMALL, *arguments), 2, named)


def test_a_sweep_searches_over_averages_and_what_a_teacher_counts(cli, trained):
    teacher = trained("--epochs", "1", "--name", "big")["run_started"]["run_id"]
    space = ("--swa", "true,false", "--teacher-weight", "0.2:0.9", "--temperature", "1,4")
    sweep = ("--teacher", "big", *space, "--trials", "2", "--jobs", "1", "--study", "s", "--epochs", "1")
    result = cli("sweep", *SMALL, *sweep)
    assert result.code == 0, result.err
    assert cli("rm", "--yes", teacher).code == 0
    again = cli("sweep", "--study", "s", "--trials", "3")  # goes on with the copies that its trials keep
    assert again.code == 0, again.err
    rows = [row for row in json.loads(cli("runs", "--json").out) if row["status"] == "finished"]
    assert len(rows) == 3
    for row in rows:
        config = json.loads(cli("show", row["run_id"], "--json").out)["config"]
        assert config["teacher"] == teacher
        assert 0.2 <= config["teacher_weight"] <= 0.9
    answer = cli("sweep", *SMALL, "--teacher", "big,small", "--lr", "0.01,0.1")
    assert (answer.code, "teacher" in answer.err) == (2, True)
