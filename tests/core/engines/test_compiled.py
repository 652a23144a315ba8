"""Compiled steps, held against eager ones and against a plain loop in double precision."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from plain_training import COMMON_RECIPES, assert_follows, make_step, start_epoch, train_plainly, train_with

from core.config import TrainConfig
from core.engines.compiled import CompiledEngine
from core.grouped.trainer import GroupTrainer
from core.models.network import make_network
from core.storage.trust import others_access

TINY = {"arch": "c4k5s3 p2 c8k3 gap fc10", "lr": 0.02, "batch_size": 48, "epochs": 8, "device": "cpu"}
"""On 320 images eight epochs of six batches and a tail of 32: 56 steps."""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def compiled(monkeypatch):
    """The images in each batch that compiled code was given, traced as ever but then run by the backend `aot_eager`."""
    compile_fully, sizes = torch.compile, []

    def quickly(model, **options):
        traced = compile_fully(model, backend="aot_eager", **options)
        return lambda images: sizes.append(len(images)) or traced(images)

    monkeypatch.setattr(torch, "compile", quickly)
    return sizes


@pytest.mark.parametrize("recipe", COMMON_RECIPES)
def test_fifty_compiled_steps_equal_a_plain_loop_in_double_precision(blobs, compiled, recipe):
    config = TrainConfig.checked(TINY | COMMON_RECIPES[recipe])
    engine = CompiledEngine(config.batch_size)
    trained = train_with(config, blobs, torch.float64, engine)
    assert engine.note == ""
    assert compiled == [48] * (1 + 8 * 6)
    assert_follows(trained, train_plainly(config, blobs), 1e-9)


def test_a_step_that_stands_before_its_last_batch_is_compiled_and_stays_there(blobs, compiled):
    config = TrainConfig.checked(TINY)
    engine = CompiledEngine(config.batch_size)
    step, model, _ = make_step(config, blobs, engine=engine)
    model.train()
    start_epoch(step, config, 320, 1)
    for _ in range(6):
        step(48)
    before = [tensor.detach().clone() for tensor in step.changed()]
    engine.prepare(step)
    assert engine.note == ""
    assert all(map(torch.equal, step.changed(), before))
    step(32)
    assert step.state()["steps"] == 7


def test_a_group_is_compiled_and_follows_one_that_is_not(blobs, compiled):
    config = TrainConfig.checked(TINY | {"epochs": 2})
    groups = {}
    for engine in ("compile", "eager"):
        configs = [config.changed(engine=engine, seed=seed) for seed in range(3)]
        networks = [make_network(one) for one in configs]
        models = [model for _, model in networks]
        groups[engine] = GroupTrainer(configs, blobs, networks[0][0], models, torch.device("cpu"))
        (_, started), *_ = groups[engine].run(lambda _: "")
        assert (started.engine, started.note) == (engine, "")
    assert compiled == [3 * 48] * (1 + 2 * 6)
    weights = groups["compile"].loop.model.state_dict()
    for name, tensor in groups["eager"].loop.model.state_dict().items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [3, 5])  # right before the last batch of an epoch, and in the middle of one
def test_a_compiled_run_follows_an_eager_one_and_goes_on_exactly(make_trainer, compiled, steps):
    options = {"engine": "compile", "schedule": "cosine", "ema": True, "dropout": 0.1, "batch_size": 96, "lr": 0.02}
    whole = make_trainer(**options)
    started, *_, finished = whole.run()
    assert (started.engine, started.note) == ("compile", "")
    eager = make_trainer(**(options | {"engine": "eager"}))
    last = list(eager.run())[-1]
    for name, tensor in whole.final_weights.items():
        torch.testing.assert_close(tensor, eager.final_weights[name], rtol=1e-2, atol=1e-3)
    asked = iter([""] * steps + ["enough"] * 99)
    stopped = make_trainer(**options)
    assert list(stopped.run(lambda: next(asked)))[-1].NAME == "run_stopped"
    checkpoint = stopped.checkpoint()  # before another network is made, which draws random numbers
    resumed = make_trainer(**options)
    resumed.restore(checkpoint)
    started, *_, again = resumed.run()
    assert (started.note, again.weights_sha256) == ("", finished.weights_sha256)
    other = make_trainer(**(options | {"engine": "eager"}))
    other.restore(checkpoint)
    assert list(other.run())[-1].final_test_accuracy == pytest.approx(last.final_test_accuracy, abs=0.05)


def test_a_network_that_cannot_be_compiled_is_trained_all_the_same_and_this_is_said(make_trainer, monkeypatch):
    def broken(graph, inputs):
        raise OSError("no space left\non the disk")

    compile_fully = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model, **options: compile_fully(model, backend=broken, **options))
    events = list(make_trainer(engine="compile", epochs=1).run())
    assert events[0].note.startswith("the network is not compiled: ")
    assert "no space left" in events[0].note
    assert events[0].note.isprintable()
    assert events[-1].NAME == "run_finished"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_steps_of_a_named_network_follow_eager_ones(make_trainer):
    runs = [make_trainer(arch="conv5", engine=engine, lr=0.002, epochs=2) for engine in ("compile", "eager")]
    notes = [next(iter(list(run.run()))).note for run in runs]
    assert notes == ["", ""]
    for name, tensor in runs[0].final_weights.items():
        torch.testing.assert_close(tensor, runs[1].final_weights[name], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_compiled_code_is_kept_where_nobody_else_can_put_code(blobs, compiled, tmp_path, monkeypatch, mode):
    (tmp_path / "asked").mkdir()
    (tmp_path / "asked").chmod(mode)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "asked"))
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    config = TrainConfig.checked(TINY | {"epochs": 1})
    train_with(config, blobs, torch.float64, CompiledEngine(config.batch_size))
    kept = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    assert (kept == tmp_path / "asked") == (mode == 0o700)
    assert Path(os.environ["TRITON_CACHE_DIR"]) == Path(os.environ["XDG_CACHE_HOME"]) / "mnist-tui" / "triton"
    assert others_access(kept) == ""
    monkeypatch.setenv("TRITON_CACHE_DIR", "")  # to be taken back after the test
