"""Layers that are not torch's own, or do more than torch's: the kernels leave them to torch, and say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from random_networks import assert_close
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from core.engines.native.engine import NativeEngine

pytestmark = pytest.mark.usefixtures("kernels")


class StandardisedConv2d(nn.Conv2d):
    """Convolves with weights of mean 0 and deviation 1."""

    def forward(self, x: Tensor) -> Tensor:
        deviation, mean = torch.std_mean(self.weight, dim=(1, 2, 3), keepdim=True)
        return F.conv2d(x, (self.weight - mean) / (deviation + 1e-5), self.bias)


class HalfReLU(nn.ReLU):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / 2


class TwiceDown(nn.MaxPool2d):
    def forward(self, x: Tensor) -> Tensor:
        return -super().forward(-super().forward(x))


class Shifted(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1


def twice(*values: Any) -> Tensor:
    output: Tensor = values[-1]
    return 2 * output


def hooked(layer: nn.Module, register: str = "register_forward_hook", hook: Callable[..., Any] = twice) -> nn.Module:
    getattr(layer, register)(hook)
    return layer


def with_own_forward(layer: nn.Conv2d) -> nn.Module:
    layer.forward = lambda x: F.conv2d(x, layer.weight.abs(), layer.bias)
    return layer


def with_hook_on_weights(layer: nn.Conv2d) -> nn.Module:
    layer.weight.register_hook(lambda gradient: 3 * gradient)
    return layer


LAYERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a subclass of a convolution": (lambda: StandardisedConv2d(4, 4, 3), "StandardisedConv2d"),
    "of an activation": (HalfReLU, "HalfReLU"),
    "of a pooling": (lambda: TwiceDown(2), "TwiceDown"),
    "of a norm": (lambda: Shifted(4), "Shifted"),
    "a parametrised convolution": (
        lambda: parametrizations.weight_norm(nn.Conv2d(4, 4, 3)),
        "ParametrizedConv2d",
    ),
    "a convolution with a hook": (lambda: hooked(nn.Conv2d(4, 4, 3)), "Conv2d with hooks"),
    "a ReLU with a hook before it": (
        lambda: hooked(nn.ReLU(), "register_forward_pre_hook", lambda _, inputs: (inputs[0] - 1,)),
        "ReLU with hooks",
    ),
    "a ReLU with a hook on its gradient": (
        lambda: hooked(nn.ReLU(), "register_full_backward_hook", lambda _, given, __: (2 * given[0],)),
        "ReLU with hooks",
    ),
    "a row with a hook": (lambda: hooked(nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU())), "Sequential with hooks"),
    "a forward put over the class's": (lambda: with_own_forward(nn.Conv2d(4, 4, 3)), "Conv2d with hooks"),
    "weights with a hook": (lambda: with_hook_on_weights(nn.Conv2d(4, 4, 3)), "Conv2d with hooks"),
}


def steps_by_both(model: nn.Sequential) -> tuple[list[Tensor], list[Tensor]]:
    """Loss and gradients by the kernels, and by torch."""
    images, found = torch.randn(9, 1, 28, 28, dtype=torch.float64), []
    for forward in (NativeEngine().forward(model), model):
        model.zero_grad()
        loss = F.cross_entropy(forward(images), torch.arange(9))
        loss.backward()
        found.append([loss.detach(), *(parameter.grad for parameter in model.parameters())])
    return found[0], found[1]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_does_more_than_torchs_is_left_to_torch(name):
    make, kind = LAYERS[name]
    torch.manual_seed(0)
    rest = nn.Conv2d(4, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 10)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), make(), *rest).double()
    assert_close(*steps_by_both(model), 1e-9)
    engine = NativeEngine()
    assert engine.forward(model) is not model
    assert engine.note.startswith(f"torch runs what there are no kernels for: {kind}")


def test_a_network_with_a_hook_is_run_as_it_is():
    engine, model = NativeEngine(), hooked(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(2704, 10)))
    assert engine.forward(model) is model
    assert "one operation at a time" in engine.note


def test_a_linear_layer_over_the_rows_of_a_map_is_torchs():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 1), nn.Linear(28, 4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(208, 10)
    ).double()
    assert_close(*steps_by_both(model), 1e-9)
