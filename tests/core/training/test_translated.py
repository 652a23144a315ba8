"""A user's own module that equals a spec trains as the spec does, to the same bits, under names of its own."""

from pathlib import Path

import pytest
import torch
from own_networks import EXPRESSIBLE

from core.config import TrainConfig
from core.events import RunStarted
from core.models.build import build_model
from core.models.network import make_network
from core.models.own.table import summarize_module
from core.models.spec import parse
from core.models.summary import summarize
from core.models.translate.translation import Translation, tensors_of, translate
from core.training.average import averaged_words
from core.training.trainer import Trainer

SPEC = "c8 p2 c16k1n s12 gap fc10"

CODE = """
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.BatchNorm2d(8))
        self.point = nn.Conv2d(8, 16, 1)
        self.deep, self.out, self.norm = nn.Conv2d(16, 16, 3, groups=16, bias=False), nn.Conv2d(16, 12, 1), None
        self.norm = nn.BatchNorm2d(12)
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        if x.shape[1:] != (1, 28, 28):
            raise ValueError(f"images of {x.shape}")
        x = F.relu(self.point(F.max_pool2d(self.stem(x), 2)))
        x = self.norm(F.relu(self.out(self.deep(x))))
        return self.head(x.mean((2, 3)).view(x.size(0), -1))
"""

VARIANTS = {
    "eager": {"engine": "eager"},
    "native": {"engine": "auto"},
    "mean of epochs": {"engine": "native", "swa": True, "swa_start": 0.3},
    "average and held-out images": {"engine": "eager", "ema": True, "ema_decay": 0.9, "val_split": 60},
    "no momentum, decay, a tail": {"engine": "eager", "momentum": 0.0, "weight_decay": 0.01, "batch_size": 96},
}


@pytest.fixture
def arch(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(CODE)
    return f"{tmp_path / 'net.py'}:Net"


def trainer_of(config: TrainConfig, data) -> Trainer:
    return Trainer(config, data, *make_network(config), torch.device("cpu"))


def assert_same_tensors(mine, others) -> None:
    """In the order in which the layers are made."""
    assert len(mine) == len(others)
    for (name, tensor), other in zip(mine.items(), others.values(), strict=True):
        assert torch.equal(tensor, other), name


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.usefixtures("kernels")
def test_its_weights_are_those_of_the_spec_bit_for_bit(variant, arch, blobs):
    options = {"epochs": 2, "batch_size": 64, "lr": 0.1, "device": "cpu"} | VARIANTS[variant]
    mine = trainer_of(TrainConfig.checked(options | {"arch": arch}), blobs)
    spec = trainer_of(TrainConfig.checked(options | {"arch": SPEC}), blobs)
    started, *events = mine.run()
    assert isinstance(started, RunStarted)
    first, *others = spec.run()
    assert started.engine == first.engine
    assert f"the module equals {SPEC}" in started.engine_reason
    assert started.note == averaged_words(mine.config)
    assert_same_tensors(mine.final_weights, spec.final_weights)
    assert_same_tensors(mine.best_weights, spec.best_weights)
    assert events[-1].final_test_accuracy == others[-1].final_test_accuracy
    assert list(mine.final_weights)[:3] == ["stem.0.weight", "stem.0.bias", "stem.2.weight"]
    mine.model.load_state_dict(mine.final_weights)


@pytest.mark.parametrize("engine", ["eager", "auto"])
@pytest.mark.usefixtures("kernels", "every_step_is_told")
def test_it_goes_on_from_a_checkpoint_to_the_same_weights(engine, arch, blobs):
    config = TrainConfig.checked(
        {"arch": arch, "epochs": 3, "batch_size": 64, "lr": 0.1, "device": "cpu", "ema": True, "engine": engine}
    )
    whole = trainer_of(config, blobs)
    kept = None
    for count, _ in enumerate(whole.run()):
        if count == 9:
            kept = whole.checkpoint()
    assert kept is not None
    assert {"stem.0.weight", "head.bias"} <= set(kept.part("model"))
    assert "momentum.stem.0.weight" in kept.part("engine")
    again = trainer_of(config, blobs)
    again.restore(kept)
    *_, end = again.run()
    assert end.NAME == "run_finished"
    assert_same_tensors(again.final_weights, whole.final_weights)


def test_one_that_equals_no_spec_is_eager_and_the_record_says_why(arch, blobs):
    path = Path(arch.rpartition(":")[0])
    path.write_text(path.read_text().replace("x.mean((2, 3))", "x.mean((2, 3)).pow(2)"))
    trainer = trainer_of(TrainConfig.checked({"arch": arch, "epochs": 1, "device": "cpu"}), blobs)
    started, *_, end = trainer.run()
    assert started.engine == "eager"
    assert "pow" in started.engine_reason
    assert "net.py:20" in started.engine_reason
    assert end.NAME == "run_finished"


def test_what_forward_does_not_use_stays_as_it_was_made(arch, blobs):
    path = Path(arch.rpartition(":")[0])
    path.write_text(path.read_text().replace("self.head =", "self.old = nn.Linear(3, 4)\n        self.head ="))
    trainer = trainer_of(TrainConfig.checked({"arch": arch, "epochs": 1, "device": "cpu", "weight_decay": 0.1}), blobs)
    before = trainer.model.old.weight.clone()
    started, *_ = trainer.run()
    assert "the module equals" in started.engine_reason
    assert torch.equal(trainer.final_weights["old.weight"], before)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", EXPRESSIBLE)
@pytest.mark.usefixtures("kernels")
def test_from_the_same_weights_any_network_trains_as_its_spec(name, blobs):
    """Dropout included: it draws the same numbers."""
    options = {"epochs": 1, "batch_size": 64, "lr": 0.01, "device": "cpu", "limit_train": 160, "limit_test": 50}
    torch.manual_seed(5)
    module = EXPRESSIBLE[name][0]()
    found = translate(module)
    assert isinstance(found, Translation)
    network = build_model(summarize(parse(found.spec)))
    tensors = tensors_of(module)
    network.load_state_dict({name: tensors[own] for name, own in found.names.items()})
    own = TrainConfig.checked(options | {"arch": "networks.py:Net", "budget": False})
    spec = TrainConfig.checked(options | {"arch": found.spec, "budget": False})
    mine = Trainer(own, blobs, summarize_module(module, own.arch), module, torch.device("cpu"))
    others = Trainer(spec, blobs, summarize(parse(found.spec)), network, torch.device("cpu"))
    assert [list(trainer.run())[-1].NAME for trainer in (mine, others)] == ["run_finished"] * 2
    weights = others.final_weights  # what several turns of a loop share is there once
    assert len(weights) == len({found.names[theirs] for theirs in weights})
    for theirs, weight in weights.items():
        assert torch.equal(mine.final_weights[found.names[theirs]], weight), theirs
