"""Which parameters are weights, and which are matrices for muon."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.config import TrainConfig
from core.grouped.network import GroupedNetwork
from core.models.network import make_network
from core.training.optimizers.parameters import trained_parameters
from core.training.trainer import Trainer

SPEC = "c6 s8k3 c8k1g2 ln bn gap fc12 fc10"
"""A kernel, a depthwise one and the pointwise one behind it, one in groups, norms, a hidden and a last matrix."""


def named(model: nn.Module, copies: int = 1) -> dict[str, tuple[tuple[int, ...], bool, int, bool]]:
    return {
        one.name: (tuple(one.tensor.shape), one.is_weight, one.blocks, one.is_hidden_matrix)
        for one in trained_parameters(model, copies)
    }


def test_norms_and_biases_are_no_weights_and_neither_vectors_nor_the_last_matrix_are_for_muon():
    found = named(make_network(TrainConfig.checked({"arch": SPEC}))[1])
    assert {name: kind for name, (_, is_weight, *kind) in found.items() if is_weight} == {
        "Conv2d-1.weight": [1, True],
        "Conv2d-3.weight": [6, False],  # depthwise
        "Conv2d-4.weight": [1, True],
        "Conv2d-6.weight": [2, True],
        "Linear-11.weight": [1, True],
        "Linear-12.weight": [1, False],  # the last
    }
    assert found["LayerNorm-8.weight"] == ((8, 24, 24), False, 1, False)
    assert not any(hidden for _, is_weight, _, hidden in found.values() if not is_weight)


def test_in_a_network_of_copies_each_has_its_own_matrices():
    summary, model = make_network(TrainConfig.checked({"arch": SPEC}))
    single, group = named(model), named(GroupedNetwork(summary, [model, model, model]), copies=3)
    assert group.keys() == single.keys()
    for name, (shape, is_weight, blocks, hidden) in single.items():
        assert group[name] == ((3 * shape[0], *shape[1:]), is_weight, 3 * blocks, hidden)


def test_frozen_and_shared_parameters_of_a_module_of_ones_own():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3, 1, 1))
            self.first = nn.Linear(6, 6)
            self.second = nn.Linear(6, 6)
            self.second.weight = self.first.weight
            self.frozen = nn.Linear(6, 6).requires_grad_(False)
            self.out = nn.Linear(6, 10)

    found = named(Net())
    assert list(found) == ["scale", "first.weight", "first.bias", "second.bias", "out.weight", "out.bias"]
    assert [name for name, (*_, hidden) in found.items() if hidden] == ["first.weight"]


NETWORK = """
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f, self.middle = nn.Linear(8, 10), nn.Conv2d(8, 8, 3)
        self.c = nn.Conv2d(1, 8, 3)
        self.unused = nn.Linear(5, 7)

    def forward(self, x):
        x = self.middle(F.relu(self.c(x)))
        return self.f(F.relu(x).mean((2, 3)))%s
"""


@pytest.mark.parametrize("end", ["", ".pow(3)"], ids=["equals a spec", "equals none"])
def test_the_last_matrix_is_the_one_that_forward_uses_last(end, tmp_path, blobs):
    (tmp_path / "net.py").write_text(NETWORK % end)
    options = {"arch": f"{tmp_path / 'net.py'}:Net", "optimizer": "muon", "batch_size": 64, "device": "cpu"}
    config = TrainConfig.checked(options)
    trainer = Trainer(config, blobs, *make_network(config), torch.device("cpu"))
    assert ("equals no spec" in next(trainer.run()).engine_reason) == bool(end)
    state = trainer.checkpoint().part("engine")
    moved = {name for name in ("f", "middle", "c") if f"momentum.{name}.weight" in state}
    assert moved == {"middle", "c"}


def test_without_an_order_of_use_it_is_the_last_one_that_is_defined():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    for in_use, last in (((), "2.weight"), (("2.weight", "0.weight", "0.bias"), "0.weight"), (("x",), "2.weight")):
        found = [one.name for one in trained_parameters(model, 1, in_use) if one.is_weight and not one.is_hidden_matrix]
        assert found == [last]
