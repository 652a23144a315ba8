"""Lazy layers get their sizes before anything is counted, and their initial weights from the seed."""

import pytest
import torch

from core.config import TrainConfig
from core.errors import InvalidValue
from core.models.network import make_network

LAZY = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(10))
    def forward(self, x):
        return self.body(x)
class Seeded(Net):
    def forward(self, x):
        torch.manual_seed(0)
        return super().forward(x)
class Idle(Net):
    def __init__(self):
        super().__init__()
        self.idle = nn.LazyLinear(3)
"""


LATE = """
class Late(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 4, 3)
        self.head = None
    def forward(self, x):
        x = self.body(x).relu().flatten(1)
        if self.head is None:
            self.head = nn.Linear(x.shape[1], 10).to(x.device)
        return self.head(x)
class Attribute(Late):
    def __init__(self):
        super().__init__()
        del self.head
    def forward(self, x):
        x = self.body(x).relu().flatten(1)
        if not hasattr(self, "head"):
            self.head = nn.Linear(x.shape[1], 10)
        return self.head(x)
"""


@pytest.fixture
def arch(tmp_path):
    (tmp_path / "net.py").write_text(LAZY + LATE)
    return f"{tmp_path}/net.py:Net"


@pytest.mark.parametrize("name", ["Net", "Seeded"])
def test_lazy_layers_are_counted_and_follow_the_seed(arch, name):
    arch = arch.replace(":Net", f":{name}")
    (summary, first), (_, same), (_, other) = (
        make_network(TrainConfig(arch=arch, seed=seed, budget=False)) for seed in (0, 0, 1)
    )
    assert summary.total_params == 40 + 8 + 27050
    assert first.training
    assert torch.equal(first.body[1].running_mean, torch.zeros(4))
    for name, weights in first.state_dict().items():
        assert torch.equal(weights, same.state_dict()[name]), name
    assert not torch.equal(first.body[0].weight, other.body[0].weight)
    assert not torch.equal(first.body[3].weight, other.body[3].weight)


def test_a_lazy_layer_that_is_never_used_is_refused(arch):
    with pytest.raises(InvalidValue, match="lazy layers that its forward does not use"):
        make_network(TrainConfig(arch=arch.replace(":Net", ":Idle"), budget=False))


@pytest.mark.parametrize("name", ["Late", "Attribute"])
def test_layers_that_a_first_forward_makes_are_counted_and_follow_the_seed(arch, name):
    arch = arch.replace(":Net", f":{name}")
    (summary, first), (_, same), (_, other) = (
        make_network(TrainConfig(arch=arch, seed=seed, budget=False)) for seed in (0, 0, 1)
    )
    assert summary.total_params == 40 + 27050
    assert [(layer.path, layer.params) for layer in summary.rows] == [("body", 40), ("head", 27050)]
    assert torch.equal(first.head.weight, same.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)
