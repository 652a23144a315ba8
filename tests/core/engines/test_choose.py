"""The choice of an engine, runs by each that works without a GPU, and what a run keeps on its device."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from core.config import TrainConfig
from core.data.loader import Dataset
from core.engines.choose import GRAPH_FROM, ChosenEngine, available_engines, choose_engine, make_engine
from core.engines.compiled import CompiledEngine
from core.engines.engine import EagerEngine
from core.engines.native.engine import NativeEngine
from core.errors import InvalidValue
from core.models.network import make_network
from core.training.sampling import draw_epoch
from core.training.trainer import Trainer

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda:0"), torch.device("mps")


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("CC", "no-such-compiler")


@pytest.mark.parametrize(
    ("device", "arch", "steps", "name"),
    [
        (CPU, "file.py:Net", 10**6, "eager"),
        (MPS, "conv9", 10**6, "eager"),
        (CUDA, "conv9", GRAPH_FROM, "graph"),
        (CUDA, "conv9", GRAPH_FROM - 1, "eager"),
        (CUDA, "file.py:Net", 10**6, "eager"),
    ],
)
def test_auto_takes_what_is_fastest_and_says_why(device, arch, steps, name):
    choice = choose_engine(TrainConfig.checked({"arch": arch}), device, steps)
    assert choice.name == name
    assert choice.reason.isprintable()


def test_auto_takes_the_kernels_on_a_cpu_where_they_would_be_used(kernels):
    assert choose_engine(TrainConfig(), CPU, 1).name == "native"
    for choice in (
        choose_engine(TrainConfig(precision="bf16"), CPU, 1),
        choose_engine(TrainConfig(), CPU, 1, copies=2),
    ):
        assert choice.name == "eager"
        assert choice.reason.startswith("native ")


@pytest.mark.parametrize(
    ("arch", "reason"),
    [
        ("c8b0r dc0.05 c16b0r p2 c8k1b0r c16b0r gap c10k1lb0", ""),
        ("c8p1b0r res(c8p1b0r c8p1lb0 bn) relu p3s2p1 tie2(c8p1b0r) lrelu bn gap fc10b0", ""),
        ("c16 p2 fc100 d0.5 fc10", ""),
        ("fc24 fc10", "native is faster for convolutions, of which it runs none here"),
        ("c8lb0 gn2 silu p2 c16lb0 gn2 silu gap fc10", "native has no kernels for GroupNorm"),
        ("c8l ln res(c8p1l ln relu) gap fc10", "native has no kernels for LayerNorm"),
        ("c8b0r c8b0r c8lb0 gn2 relu c16g4 gap fc10", ""),
        ("p4 c256 c256 gap fc10", "native is made for narrow layers, and one here has 589,824 weights"),
        ("p7 c4096k1 c4096k1 gap fc10", "native is made for narrow layers, and one here has 16,777,216 weights"),
    ],
)
def test_auto_takes_the_kernels_only_where_they_are_faster(kernels, arch, reason):
    choice = choose_engine(TrainConfig.checked({"arch": arch, "budget": False}), CPU, 1000)
    assert choice.name == ("eager" if reason else "native")
    assert re.match(reason, choice.reason)


@pytest.mark.parametrize("name", ["eager", "compile", "graph"])
def test_an_engine_that_is_named_is_taken_where_it_can_work(name):
    assert choose_engine(TrainConfig.checked({"engine": name}), CUDA, 1).name == name


def test_without_a_cuda_device_there_are_no_graphs():
    with pytest.raises(InvalidValue, match="engine = graph: needs a CUDA device, not cpu"):
        choose_engine(TrainConfig.checked({"engine": "graph"}), CPU, 1000)
    assert {"eager"} <= set(available_engines(CPU)) <= {"eager", "native", "compile"}


def test_kernels_for_a_cpu_need_one():
    with pytest.raises(InvalidValue, match="engine = native: needs a CPU, not cuda:0"):
        choose_engine(TrainConfig.checked({"engine": "native"}), CUDA, 1000)
    assert "native" not in available_engines(CUDA)


def test_without_a_compiler_nothing_is_compiled(no_compiler):
    with pytest.raises(InvalidValue, match=r"engine = compile: needs a C\+\+ compiler, .* no no-such-compiler"):
        choose_engine(TrainConfig.checked({"engine": "compile"}), CPU, 1000)
    with pytest.raises(InvalidValue, match=r"engine = native: needs a C compiler, .* no no-such-compiler") as refusal:
        choose_engine(TrainConfig.checked({"engine": "native"}), CPU, 1000)
    assert refusal.value.hint
    choice = choose_engine(TrainConfig(), CPU, 1000)
    assert (choice.name, choice.reason) == ("eager", "native needs a C compiler, and there is no no-such-compiler")
    assert available_engines(CPU) == ["eager"]
    assert available_engines(CUDA) == ["eager", "graph"]


def test_an_engine_is_made_by_its_name():
    config = TrainConfig.checked({"engine": "compile"})
    assert isinstance(make_engine(choose_engine(config, CUDA, 1), 64, CPU), CompiledEngine)
    assert isinstance(make_engine(ChosenEngine("native", ""), 64, CPU), NativeEngine)
    assert isinstance(make_engine(choose_engine(TrainConfig(), MPS, 1), 64, CPU), EagerEngine)


def test_tf32_needs_a_cuda_device(make_trainer):
    with pytest.raises(InvalidValue, match="precision = tf32: needs a CUDA device, not cpu"):
        make_trainer(precision="tf32")


def test_a_run_says_which_engine_it_has(make_trainer):
    for engine in ("eager", "auto"):
        trainer = make_trainer(engine=engine)
        events = trainer.run()
        assert next(events).engine == choose_engine(trainer.config, CPU, 1).name
        events.close()


def _attributes(owner: object) -> list[object]:
    return [getattr(owner, name) for name in getattr(owner, "__slots__", None) or vars(owner)]


@pytest.mark.parametrize("options", [{}, {"val_split": 10_000, "augment": "affine"}, {"augment": "shift", "ema": True}])
def test_a_run_on_all_of_mnist_keeps_at_most_60_megabytes_of_data(options):
    dataset = Dataset(
        "mnist",
        torch.zeros(60_000, 28, 28, dtype=torch.uint8),
        torch.zeros(60_000, dtype=torch.int64),
        torch.zeros(10_000, 28, 28, dtype=torch.uint8),
        torch.zeros(10_000, dtype=torch.int64),
        mean=0.1307,
        std=0.3081,
    )
    config = TrainConfig.checked({"device": "cpu"} | options)
    trainer = Trainer(config, dataset, *make_network(config), CPU)
    step, scoring = trainer._loop._step, trainer._loop._scoring
    owners = [step, scoring.test, scoring.test.data]
    owners += [scoring.val, scoring.val.data] if scoring.val else []
    held = [value for owner in owners for value in _attributes(owner) if isinstance(value, Tensor)]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in held}
    assert dataset.train_images.untyped_storage().data_ptr() in storages
    size = sum(storages.values())
    assert 55_000_000 < size <= 60_000_000
    assert len(draw_epoch(config, trainer.images, 1).order) == 60_000 - config.val_split


def test_scores_of_held_out_images_are_of_the_images_that_are_not_trained_on(make_trainer):
    trainer = make_trainer(val_split=40, epochs=1)
    *_, finished = trainer.run()
    trained_on = set(trainer._loop._step._order.tolist())
    assert len(trained_on) == 280
    assert trained_on.isdisjoint(trainer._loop._scoring.val.data.rows.tolist())
    assert finished.selected_epoch == 1
