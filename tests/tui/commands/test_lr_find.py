"""`lr-find`: a chart and a rate for people, every step for programs, and the exit codes of `run`."""

import re

import pytest

WORDS = ("lr-find", "--dataset", "mnist-5k", "--arch", "c4 p2 c8 gap fc10", "--batch-size", "64", "--device", "cpu")
SHORT = ("--limit-train", "1920", "--limit-test", "100", "--low", "1e-3", "--steps", "40")


def test_it_prints_a_chart_the_values_and_a_suggestion_and_keeps_no_run(cli, home):
    answer = cli(*WORDS, *SHORT)
    assert answer.code == 0, answer.err
    chart, table, last = answer.out.rstrip().split("\n\n")
    assert re.search("[⠁-⣿]", chart)
    assert "0.001" in chart.splitlines()[-1]
    assert table.splitlines()[0].split() == ["learning", "rate", "loss", "smoothed"]
    rate = float(re.match(r"suggestion: (\S+), ", last)[1])
    assert 1e-3 < rate < 10
    assert f"{rate:.3g}" in chart.splitlines()[-1]
    assert not (home / "runs").exists()


def test_json_has_every_step_and_is_the_same_again(cli):
    first, again = (cli(*WORDS, *SHORT, "--json") for _ in range(2))
    assert first.code == 0
    record = first.json
    assert record == again.json
    assert record["suggestion"] in [float(f"{point['rate']:.3g}") for point in record["points"]]
    assert (record["low"], record["high"], record["steps"]) == (1e-3, 10, 40)
    assert {"step", "rate", "loss", "smoothed"} == set(record["points"][0])
    assert record["config"]["batch_size"] == 64
    assert (record["dataset"], record["spec"]) == ("mnist-5k", "c4 p2 c8 gap fc10")


def test_it_leaves_the_teacher_out(cli):
    alone, taught = (cli(*WORDS, *SHORT, *words, "--json") for words in ((), ("--teacher", "somebody")))
    assert (alone.code, taught.code) == (0, 0), taught.err
    assert alone.json == taught.json


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--low", "x"), 2, "low = x: must be a number above 0 and at most 100"),
        (("--low", "5", "--high", "1"), 2, "low = 5.0: must be below high, 1"),
        (("--steps", "3"), 2, "steps = 3"),
        (("--arch", "c8"), 2, "not 10 logits"),
        (("--arch", "none.py:Net"), 2, "no such file"),
        (("--preset", "none"), 2, "preset"),
        (("--max-params", "9"), 3, "over the budget"),
        (("--dataset", "kmnist"), 4, "kmnist"),
    ],
)
def test_what_is_wrong_exits_as_with_run(cli, refused, no_network, words, code, said):
    refused(cli(*WORDS, *words), code, said)


def test_the_rate_that_is_looked_for_is_not_remarked_on(cli):
    answer = cli(*WORDS, *SHORT, "--optimizer", "adamw")
    assert answer.code == 0, answer.err
    assert "usual" not in answer.err


def test_without_a_fall_there_is_no_suggestion_and_it_exits_1(cli, refused):
    answer = cli(*WORDS, "--limit-train", "640", "--low", "1e-9", "--high", "1e-8", "--steps", "20")
    assert answer.code == 1
    assert "the loss did not fall" in answer.err
    assert "suggestion" not in answer.out
