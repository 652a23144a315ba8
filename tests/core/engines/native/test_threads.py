"""The native engine on any number of threads, also one that changes: the same bits, whatever else a run does."""

from __future__ import annotations

from itertools import cycle, repeat

import pytest
import torch

from core.device.cores import ThreadCount
from core.device.threads import allow_threads
from core.engines.native.engine import NativeEngine
from core.engines.native.team import Team
from core.storage.checkpoint import Checkpoint

NETWORKS = {
    "conv9": {"arch": "conv9"},
    "conv5": {"arch": "conv5"},
    "gap7k": {"arch": "gap7k"},
    "best-20k": {"arch": "c16p1 s36p1 p2 s52p1 s64p1 p2 s76p1 s64 gap fc10", "ema": True, "nesterov": True},
    "layers left to torch": {"arch": "c8b0r gn2 c8 p2 ln c8 p2 fc24 fc10"},
    "residual and tied": {"arch": "c8p1b0r res(c8p1b0r c8p1lb0 bn) relu p2 tie2(c8p1b0r) gap fc10"},
    "dropout": {"arch": "c8s2b0r dc0.1 d0.2 c8 p2 d0.1 fc10"},
}
RECIPES = {
    **{kind: {"schedule": kind} for kind in ("onecycle", "cosine", "step", "multistep", "plateau")},
    **{rule: {"optimizer": rule, "lr": 0.002} for rule in ("adam", "adamw", "rmsprop", "muon")},
    **{
        kind: {"augment": kind}
        for kind in (
            *("shift", "affine", "rotate", "scale", "shear", "elastic", "erase", "brightness", "contrast", "crop"),
            "affine,elastic,erase",
        )
    },
    "ema": {"ema": True},
    "swa": {"swa": True},
    "penalties": {"weight_decay": 1e-3, "l1": 1e-4, "clip_norm": 0.5, "decay": "weights"},
    "label smoothing and views": {"label_smoothing": 0.1, "tta": "shift"},
    "momentum that cycles": {"schedule": "onecycle", "cycle_momentum": True},
}
CASES = {name: {**options, "epochs": 1} for name, options in NETWORKS.items()} | {
    name: {"arch": "c8s2 c8 c8 gap fc10", **options, "epochs": 2} for name, options in RECIPES.items()
}
COUNTS = {"1": repeat(1), "2": repeat(2), "3": repeat(3), "4": repeat(4), "changing": cycle([1, 2, 4, 3, 4, 1])}

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def on_threads(monkeypatch):
    """Lets engines that are made later compute on so many threads, one after the other."""

    def use(counts):
        allow_threads(4)
        monkeypatch.setattr(ThreadCount, "now", lambda _: next(counts))

    yield use
    allow_threads(0)


def train(make_trainer, **options):
    trainer = make_trainer(**{"engine": "native", "batch_size": 96, "lr": 0.01, "budget": False} | options)
    started, *events, finished = trainer.run()
    assert started.engine == "native"
    assert finished.NAME == "run_finished", finished
    return finished.weights_sha256, [event for event in events if event.NAME == "epoch_finished"]


@pytest.mark.sampled(8)
@pytest.mark.parametrize("case", CASES)
def test_a_run_ends_with_the_same_bits_on_any_number_of_threads(make_trainer, on_threads, case):
    """A tail batch is the last of each epoch: 320 images are three batches of 96, and 32."""
    found = {}
    for name, counts in COUNTS.items():
        on_threads(counts)
        found[name] = train(make_trainer, **CASES[case])[0]
    assert len(set(found.values())) == 1, found


@pytest.mark.parametrize("torchs", [1, 2, 3])
def test_nor_does_it_matter_how_many_threads_torch_has(make_trainer, torchs):
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (torchs, 4):
            torch.set_num_threads(threads)
            found.append(train(make_trainer, **CASES["layers left to torch"])[0])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_a_run_goes_on_to_the_same_bits_on_other_threads(make_trainer, on_threads):
    options = {"engine": "native", "arch": "conv5", "batch_size": 96, "lr": 0.01, "augment": "affine", "epochs": 2}
    on_threads(repeat(1))
    whole, _ = train(make_trainer, **options)
    for steps, counts in ((2, repeat(2)), (3, repeat(3)), (6, cycle([4, 1]))):
        on_threads(repeat(4))
        stopped, asked = make_trainer(**options), iter([""] * steps + ["enough"] * 99)
        assert list(stopped.run(lambda asked=asked: next(asked)))[-1].NAME == "run_stopped"
        checkpoint = stopped.checkpoint()
        assert (checkpoint.state["sums"], checkpoint.state["segments"]) == ("batch", "whole")
        on_threads(counts)
        resumed = make_trainer(**options)
        resumed.restore(checkpoint)
        *_, finished = resumed.run()
        assert finished.weights_sha256 == whole


def test_a_run_that_an_earlier_version_began_goes_on_adding_up_as_it_did(make_trainer, on_threads):
    options = {"engine": "native", "arch": "conv5", "batch_size": 320, "lr": 0.01, "epochs": 6}
    before, found = torch.get_num_threads(), []
    try:
        for threads in (3, 2):
            on_threads(repeat(threads))
            torch.set_num_threads(2)
            old = make_trainer(**options)
            old.engine.restore({"threads": 2}, torch.device("cpu"))  # as a run that says nothing of its sums
            *_, finished = old.run()
            found.append(finished.weights_sha256)
        stopped, asked = make_trainer(**options), iter([""] * 3 + ["enough"] * 99)
        stopped.engine.restore({"threads": 2}, torch.device("cpu"))
        assert list(stopped.run(lambda: next(asked)))[-1].NAME == "run_stopped"
        checkpoint = stopped.checkpoint()
        assert "sums" not in checkpoint.state
        torch.set_num_threads(1)
        resumed = make_trainer(**options)
        resumed.restore(Checkpoint(checkpoint.tensors, checkpoint.state))
        *_, finished = resumed.run()
        found.append(finished.weights_sha256)
        assert resumed.checkpoint().state["threads"] == 2
    finally:
        torch.set_num_threads(before)
    assert len(set(found)) == 1
    assert found[0] != train(make_trainer, **options)[0]


def test_a_run_that_an_earlier_version_began_goes_on_with_the_layers_that_it_left_to_torch(make_trainer):
    options = {"engine": "native", "arch": "c8 d0.2 c8s2 p2 p2 fc10", "batch_size": 64, "lr": 0.01, "epochs": 2}
    begun = {"threads": 1, "sums": "batch"}  # as a run that says nothing of its segments
    old = make_trainer(**options)
    old.engine.restore(begun, torch.device("cpu"))
    *_, finished = old.run()
    stopped, asked = make_trainer(**options), iter([""] * 3 + ["enough"] * 99)
    stopped.engine.restore(begun, torch.device("cpu"))
    assert list(stopped.run(lambda: next(asked)))[-1].NAME == "run_stopped"
    checkpoint = stopped.checkpoint()
    assert checkpoint.state["sums"] == "batch"
    assert "segments" not in checkpoint.state
    resumed = make_trainer(**options)
    resumed.restore(checkpoint)
    *_, again = resumed.run()
    assert again.weights_sha256 == finished.weights_sha256
    assert again.weights_sha256 != train(make_trainer, **options)[0]


def test_the_log_says_how_many_threads_an_epoch_was_trained_on(make_trainer, on_threads):
    on_threads(cycle([1, 2, 3, 4]))
    _, epochs = train(make_trainer, arch="c8s2 gap fc10", limit_test=10, epochs=1)
    assert [event.threads for event in epochs] == [2.5]


def test_threads_that_cores_are_scarce_for_do_not_wait_for_work_for_long(on_threads):
    on_threads(cycle([4, 2]))
    team = Team()
    with team.at_work():
        plenty = team.spin
    with team.at_work():
        assert (team.threads, team.most()) == (2, 4)
    assert team.spin < plenty / 10


def test_where_the_system_does_not_tell_how_long_threads_wait_the_kernels_measure_it(monkeypatch):
    """With more threads than cores they take turns on them, and so they wait."""
    monkeypatch.setattr("core.engines.native.team.waited_for_core", lambda _: None)
    allow_threads(64)
    try:
        engine = NativeEngine()
        model = torch.nn.Sequential(torch.nn.Conv2d(1, 16, 3), torch.nn.Conv2d(16, 16, 3)).eval()
        forward, images = engine.forward(model), torch.randn(1024, 1, 28, 28)
        assert engine._team.timed
        before = engine._team._measured()
        with torch.no_grad():
            for _ in range(50):
                forward(images)
                if engine._team._measured() > before:
                    return
        pytest.fail("nothing was measured")
    finally:
        allow_threads(0)
