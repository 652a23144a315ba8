"""Means, maxima and sums in the forms in which people write them, each with the spec that equals it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.models.translate.translation import Translation, Untranslatable, translate


class Net(nn.Module):
    """Layers of every kind that the forms use; those that one does not use are left out of its spec."""

    def __init__(self, form: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.form = form
        self.conv, self.norm, self.out = nn.Conv2d(1, 8, 3), nn.LayerNorm(8), nn.Linear(8, 10)
        self.units = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.outs = nn.ModuleList(nn.Linear(8, 10) for _ in range(3))
        self.maps = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))
        self.flat, self.wide = nn.Linear(784, 784), nn.Linear(784, 10)
        self.small, self.halved = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 4, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.form(self, x)


def mean(net: Any, x: Tensor) -> Tensor:
    return net.conv(x).mean((2, 3))


POOLED = {
    "mean": (lambda y: y.mean((2, 3)), "gap"),
    "mean from the end": (lambda y: y.mean([-1, -2]), "gap"),
    "mean kept": (lambda y: y.mean((2, 3), keepdim=True).squeeze(), "gap"),
    "one side after the other": (lambda y: y.mean(3).mean(2), "gap"),
    "rows first": (lambda y: y.mean(2).mean(2), "gap"),
    "each kept": (lambda y: y.mean(2, keepdim=True).mean(3, keepdim=True).flatten(1), "gap"),
    "one kept": (lambda y: y.mean(3, True).mean(2).squeeze(-1), "gap"),
    "as one side": (lambda y: y.flatten(2).mean(-1), "gap"),
    "amax": (lambda y: y.amax((2, 3)), "p26"),
    "amax of each side": (lambda y: y.amax(2).amax(2), "p26"),
    "max of each side": (lambda y: y.max(3)[0].max(2).values, "p26"),
    "max of both as one": (lambda y: y.flatten(2).max(-1)[0], "p26"),
    "pooling": (lambda y: nn.functional.adaptive_max_pool2d(y, 1).squeeze(-1).squeeze(-1), "p26"),
}


@pytest.mark.parametrize("form", POOLED)
def test_a_norm_of_units_follows_maps_that_are_pooled_in_any_form(form):
    pool, word = POOLED[form]
    found = translate(Net(lambda net, x: net.out(net.norm(pool(net.conv(x))))))
    assert isinstance(found, Translation), str(found)
    assert found.spec == f"c8l {word} flat ln fc10"


def residual(net: Any, x: Tensor) -> Tensor:
    y = mean(net, x)
    return net.out(y + torch.tanh(net.units[0](y)))


def residual_of_pixels(net: Any, x: Tensor) -> Tensor:
    y = x.flatten(1)
    return net.wide(torch.tanh(net.flat(y)) + y)


def in_place(net: Any, x: Tensor) -> Tensor:
    y = mean(net, x)
    z = net.units[0](net.norm(y))
    z += y
    return net.out(z)


def shared(net: Any, x: Tensor) -> Tensor:
    y = mean(net, x)
    for _ in range(3):
        y = y + torch.tanh(net.units[0](y))
    return net.out(y)


def shared_without_a_sum(net: Any, x: Tensor) -> Tensor:
    y = mean(net, x)
    for _ in range(3):
        y = torch.tanh(net.units[0](y))
    return net.out(y)


def activation_beside(net: Any, x: Tensor) -> Tensor:
    y = mean(net, x)
    return net.out(torch.tanh(y) + net.units[0](y))


def of_maps(net: Any, x: Tensor) -> Tensor:
    x = net.conv(x)
    return net.out(sum(layer(x) for layer in net.maps).mean((2, 3)))


def added_up(net: Any, x: Tensor) -> Tensor:
    x, total = net.conv(x), 0
    for layer in net.maps:
        total += layer(x).relu()
    return net.out(total.mean((2, 3)))


def of_units(net: Any, x: Tensor) -> Tensor:
    y = mean(net, x)
    return net.out(y + sum(layer(y).relu() for layer in net.units))


def of_logits(net: Any, x: Tensor) -> Tensor:
    y = mean(net, x)
    return sum(layer(y) for layer in net.outs)


def of_logits_after_relu(net: Any, x: Tensor) -> Tensor:
    y = mean(net, x)
    return net.outs[0](y).relu() + net.outs[1](y)


def mean_and_maximum(net: Any, x: Tensor) -> Tensor:
    y = net.conv(x)
    return net.out(y.mean((2, 3)) + y.amax((2, 3)))


def pixels_and_a_map(net: Any, x: Tensor) -> Tensor:
    return net.wide(x.flatten(1) + net.small(x).flatten(1))


def pixels_and_other_maps(net: Any, x: Tensor) -> Tensor:
    return net.wide(x.flatten(1) + net.halved(x).flatten(1))


def wide_and_deep(net: Any, x: Tensor) -> Tensor:
    return net.out(mean(net, x)) + net.wide(x.flatten(1))


def nothing_is_added(net: Any, x: Tensor) -> Tensor:
    return net.out(torch.add(mean(net, x) - 0, 0.0))


SUMS = {
    residual: "c8l gap flat res(fc8l tanh) fc10",
    residual_of_pixels: "flat res(fc784l tanh) fc10",
    in_place: "c8l gap flat res(ln fc8l) fc10",
    shared: "c8l gap flat tie3(res(fc8l tanh)) fc10",
    shared_without_a_sum: "c8l gap flat tie3(fc8l tanh) fc10",
    activation_beside: "c8l gap flat res(tanh | fc8l) fc10",
    of_maps: "c8l res(res(c8p1l | c8p1l) | c8p1l) gap fc10",
    added_up: "c8l res(res(c8p1n | c8p1n) | c8p1n) gap fc10",
    of_units: "c8l gap flat res(res(res(fc8 | fc8) | fc8)) fc10",
    of_logits: "c8l gap res(res(fc10l | fc10l) | fc10)",
    of_logits_after_relu: "c8l gap res(fc10l relu | fc10)",
    mean_and_maximum: "c8l res(gap | p26) fc10",
    pixels_and_a_map: "res(c1p1l) fc10",
    pixels_and_other_maps: "res(flat | c4k2s2l flat) fc10",
    wide_and_deep: "res(c8l gap fc10l | fc10)",
    nothing_is_added: "c8l gap fc10",
}


@pytest.mark.parametrize("form", SUMS)
def test_a_sum_is_a_residual_block_however_it_is_written(form):
    found = translate(Net(form))
    assert isinstance(found, Translation), str(found)
    assert found.spec == SUMS[form]


OTHERS = {
    "add: changes all values": lambda net, x: net.out(1 + mean(net, x)),
    "rsub": lambda net, x: net.out(0 - mean(net, x)),
    "mean: not over the rows and columns": lambda net, x: net.out(net.conv(x).mean(2).amax(2)),
    "amax: not over the rows and columns": lambda net, x: net.wide(x.amax(1).flatten(1)),
}


@pytest.mark.parametrize("said", OTHERS)
def test_what_only_looks_like_one_is_refused(said):
    found = translate(Net(OTHERS[said]))
    assert isinstance(found, Untranslatable)
    assert said in str(found.obstacles[0])
    assert "test_forms.py:" in str(found.obstacles[0])
