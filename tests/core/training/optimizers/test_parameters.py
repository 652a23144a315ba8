"""Which parameters are weights, and which are matrices for muon."""

from __future__ import annotations

import torch
from torch import nn

from core.config import TrainConfig
from core.grouped.network import GroupedNetwork
from core.models.network import make_network
from core.training.optimizers.parameters import trained_parameters

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
