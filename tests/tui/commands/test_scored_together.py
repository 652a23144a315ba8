"""A group scored as one, and a run scored on another data set, as commands."""

from __future__ import annotations

import numpy as np
import pytest

SMALL = ("run", "--arch", "c4 p2 c8 gap fc10", "--dataset", "mnist-5k", "--epochs", "1", "--limit-train", "256")
SMALL += ("--limit-test", "100", "--device", "cpu", "--quiet")


@pytest.fixture
def pair(cli):
    assert cli(*SMALL, "--seeds", "0-1", "--name", "pair").code == 0
    return "pair"


def test_show_scores_a_group_together_on_demand_and_refuses_a_single_run(cli, pair):
    answer = cli("show", pair, "--ensemble")
    assert "by the mean of the probabilities of 2 runs" in answer.out
    record = cli("show", pair, "--ensemble", "--json").json
    assert (record["ensemble"]["runs"], record["ensemble"]["images"]) == (2, 100)
    assert "ensemble" not in cli("show", pair, "--json").json
    assert "is one run" in cli("show", "pair-0", "--ensemble").err


def test_verify_scores_the_weights_of_each_run_on_another_data_set(cli, pair, tmp_path):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 255, (30, 28, 28), dtype=np.uint8), np.arange(30) % 10
    path = tmp_path / "further.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    answer = cli("verify", "pair-0", "--on", path)
    assert answer.code == 0, answer.err
    assert "of 30 test images, 95% interval" in answer.out.splitlines()[-1]
    record = cli("verify", pair, "--on", path, "--json").json
    assert [run["on"]["images"] for run in record["runs"]] == [30, 30]
    assert cli("verify", "pair-0", "--on", "qmnist").code == 4
    answer = cli("verify", "pair-0", "--on", "qmnst")
    assert (answer.code, answer.err.splitlines()[0].split(" (")[0]) == (
        2,
        "error: on = qmnst: must be one of auto, mnist, fashion, kmnist, mnist-5k, qmnist, qmnist-50k, emnist",
    )
