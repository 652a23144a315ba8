"""A run's network on its own test images."""

from __future__ import annotations

import pytest

from core.errors import InvalidValue, RunError, Stopped
from experiments.execution.runner import Runner
from experiments.inference.scoring import score_run


@pytest.fixture
def trained(locations, store, tiny):
    list(Runner(locations).run(tiny))
    return store.find("latest")


def test_it_finds_the_score_of_the_log_and_says_what_it_does(locations, trained):
    told: list[tuple[str, float]] = []
    scored = score_run(trained, locations, None, should_stop=lambda: "", report=lambda *what: told.append(what))
    assert scored.correct == trained.view().epochs[-1].test_correct
    assert len(scored.images) == len(scored.labels) == 200
    assert (scored.dataset, scored.network.epoch) == ("mnist-5k", 2)
    assert told[0][0] == "reading the network"
    assert told[-1] == ("classifying 200 test images", 1.0)


def test_a_run_without_weights_and_a_wish_to_stop(locations, trained):
    with pytest.raises(Stopped, match="enough"):
        score_run(trained, locations, None, should_stop=lambda: "enough")
    for weights in (trained.final_weights, trained.best_weights):
        weights.unlink()
    with pytest.raises(RunError, match="has no weights"):
        score_run(trained, locations, None, should_stop=lambda: "")


def test_code_of_the_user_s_own_is_not_run_unless_it_is_named(locations, store, tiny, tmp_path):
    mark = tmp_path / "ran"
    (tmp_path / "net.py").write_text(
        "import pathlib\nfrom torch import nn\n"
        f"class Net(nn.Sequential):\n    pathlib.Path({str(mark)!r}).touch()\n    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(784, 10))\n"
    )
    arch = f"{tmp_path / 'net.py'}:Net"
    list(Runner(locations).run(tiny.changed(arch=arch)))
    mark.unlink()
    run = store.find("latest")
    with pytest.raises(InvalidValue, match="module of your own"):
        score_run(run, locations, None, should_stop=lambda: "")
    assert not mark.exists()
    assert (
        score_run(run, locations, None, arch=arch, should_stop=lambda: "").correct == run.view().epochs[-1].test_correct
    )
    assert mark.exists()
