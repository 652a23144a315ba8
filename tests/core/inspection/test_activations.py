"""Statistics of layers against what plain torch says, dead ReLUs, filters and feature maps."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from core.inspection.activations import feature_maps, first_filters, layer_statistics
from core.models.build import build_model
from core.models.spec import find, parse
from core.models.summary import summarize
from core.training.evaluate import Pixels

PIXELS = Pixels(0.2, 0.15)


def never() -> str:
    return ""


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_model(summarize(find("c4 c6 p2 gap fc10"))).eval()


def _by_name(module, blobs, count=60):
    images, labels = blobs.test_images[:count], blobs.test_labels[:count]
    return {entry.name: entry for entry in layer_statistics(module, images, labels, PIXELS, never)}


def test_statistics_are_those_of_the_outputs_and_their_gradients(network, blobs, monkeypatch):
    monkeypatch.setattr("core.inspection.activations.BATCH", 25)
    layers = _by_name(network, blobs)
    x = PIXELS(blobs.test_images[:60])
    first = network[0](x).detach()
    relu = F.relu(first.clone()).detach().requires_grad_()
    loss = F.cross_entropy(network[2:](relu), blobs.test_labels[:60], reduction="sum")
    (gradient,) = torch.autograd.grad(loss, relu)
    conv, active = layers["Conv2d-1"], layers["ReLU of Conv2d-1"]
    assert conv.shape == (4, 26, 26)
    assert conv.mean == pytest.approx(float(first.mean()), abs=1e-5)
    assert conv.deviation == pytest.approx(float(first.std(correction=0)), rel=1e-4)
    assert active.zeros == pytest.approx(float((relu == 0).float().mean()))
    assert active.gradient == pytest.approx(float(gradient.square().mean().sqrt()), rel=1e-3)
    masked = gradient * (relu > 0)
    assert conv.gradient == pytest.approx(float(masked.square().mean().sqrt()), rel=1e-3)


class Squeezing(nn.Module):
    """Takes away more than it means to of a single image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool, self.norm = nn.Conv2d(1, 4, 5, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.pool(self.conv(x)).squeeze()))


def test_an_image_that_is_left_alone_counts_once_whatever_is_squeezed_away_of_it(blobs, monkeypatch):
    torch.manual_seed(0)
    module = Squeezing().eval()
    whole = _by_name(module, blobs, 41)
    monkeypatch.setattr("core.inspection.activations.BATCH", 20)
    parts = _by_name(module, blobs, 41)
    for name in ("conv", "norm", "head"):
        one, other = whole[name], parts[name]
        assert (one.shape, one.zeros) == (other.shape, other.zeros)
        for field in ("mean", "deviation", "gradient", "weight_gradient"):
            assert getattr(one, field) == pytest.approx(getattr(other, field), rel=1e-4, abs=1e-6), (name, field)
    found = {maps.name: maps.maps for maps in feature_maps(module, blobs.test_images[0], PIXELS)}
    torch.testing.assert_close(found["head"][:, 0, 0], module(PIXELS(blobs.test_images[:2]))[0])


def test_gradients_of_weights_are_those_of_the_mean_loss(network, blobs):
    layers = _by_name(network, blobs)
    loss = F.cross_entropy(network(PIXELS(blobs.test_images[:60])), blobs.test_labels[:60])
    gradients = torch.autograd.grad(loss, list(network[0].parameters()))
    expected = sum(float(gradient.square().sum()) for gradient in gradients) ** 0.5
    assert layers["Conv2d-1"].weight_gradient == pytest.approx(expected, rel=1e-3)
    assert layers["ReLU of Conv2d-1"].weight is None
    assert all(parameter.grad is None for parameter in network.parameters())


def test_dead_channels_are_named_and_live_ones_are_not(network, blobs):
    with torch.no_grad():
        network[0].weight[2] = 0
        network[0].bias.fill_(1.0)
        network[0].bias[2] = -1.0
    layers = _by_name(network, blobs)
    assert layers["ReLU of Conv2d-1"].dead == (2,)
    assert layers["Conv2d-1"].dead == ()


def test_modules_that_are_used_twice_count_twice(blobs):
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.act, self.last = nn.Linear(784, 12), nn.ReLU(), nn.Linear(12, 10)

        def forward(self, x):
            return self.last(self.act(self.act(self.first(x.flatten(1)))))

    module = Twice().eval()
    assert list(_by_name(module, blobs)) == ["first", "act", "act (use 2)", "last"]
    name, filters = first_filters(module)
    assert (name, filters.shape) == ("first", (12, 28, 28))


def test_feature_maps_are_the_outputs_layer_by_layer(network, blobs):
    maps = feature_maps(network, blobs.test_images[0], PIXELS)
    assert [(entry.name, tuple(entry.maps.shape)) for entry in maps] == [
        ("Conv2d-1", (4, 26, 26)),
        ("ReLU of Conv2d-1", (4, 26, 26)),
        ("BatchNorm2d-2", (4, 26, 26)),
        ("Conv2d-3", (6, 24, 24)),
        ("ReLU of Conv2d-3", (6, 24, 24)),
        ("BatchNorm2d-4", (6, 24, 24)),
        ("MaxPool2d-5", (6, 12, 12)),
        ("AdaptiveAvgPool2d-6", (6, 1, 1)),
        ("Linear-7", (10, 1, 1)),
    ]
    conv, relu = maps[0].maps, maps[1].maps
    assert conv.min() < 0  # as it was before the ReLU in place
    assert torch.equal(relu, conv.clamp(min=0))


def test_filters_are_the_kernels_that_see_pixels(network):
    name, filters = first_filters(network)
    assert name == "Conv2d-1"
    assert torch.equal(filters, network[0].weight[:, 0])
    assert first_filters(nn.Sequential(nn.Flatten(), nn.Linear(100, 10))) is None


def test_layers_inside_others_go_by_their_rows_and_sums_of_branches_are_layers(blobs):
    torch.manual_seed(0)
    summary = summarize(parse("c4 res(c4p1r c4p1l) relu tie2(c4b0r) gap fc10"))
    module = build_model(summary).eval()
    layers = layer_statistics(module, blobs.test_images[:40], blobs.test_labels[:40], PIXELS, never)
    assert [entry.name for entry in layers] == [
        *("Conv2d-1", "ReLU of Conv2d-1", "BatchNorm2d-2", "Conv2d-3", "BatchNorm2d-4", "ReLU of BatchNorm2d-4"),
        *("Conv2d-5", "Residual-6", "ReLU of Residual-6", "Conv2d-7", "BatchNorm2d-8", "ReLU of BatchNorm2d-8"),
        *("Conv2d-7 (use 2)", "BatchNorm2d-8 (use 2)", "ReLU of BatchNorm2d-8 (use 2)"),
        *("AdaptiveAvgPool2d-11", "Linear-12"),
    ]
    by_name = {entry.name: entry for entry in layers}
    assert by_name["Residual-6"].weight is None
    assert by_name["Residual-6"].gradient > 0
    assert by_name["Conv2d-3"].weight_gradient > 0
    maps = {shown.name: shown.maps for shown in feature_maps(module, blobs.test_images[0], PIXELS)}
    incoming, outgoing = maps["BatchNorm2d-2"], maps["Conv2d-5"]
    torch.testing.assert_close(maps["Residual-6"], incoming + outgoing)
    assert maps["Conv2d-7 (use 2)"].shape == (4, 22, 22)


def test_what_is_looped_is_a_layer_each_time(blobs):
    torch.manual_seed(0)
    module = build_model(summarize(parse("c4 loop2(res(c4p1b0r)) gap fc10"))).eval()
    layers = layer_statistics(module, blobs.test_images[:40], blobs.test_labels[:40], PIXELS, never)
    assert [entry.name for entry in layers if "ReLU" not in entry.name] == [
        *("Conv2d-1", "BatchNorm2d-2", "Conv2d-3", "BatchNorm2d-4", "Residual-5"),
        *("Conv2d-6", "BatchNorm2d-7", "Residual-8", "AdaptiveAvgPool2d-9", "Linear-10"),
    ]
