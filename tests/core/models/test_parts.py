"""Every word of the grammar as modules: each network equals one written by hand, in outputs, gradients and state."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from core.models.build import build_model, count_parameters
from core.models.spec import parse
from core.models.summary import summarize


class Sum(nn.Module):
    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([branch(x) for branch in self.branches]).sum(0)


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def twice(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, *layers)


def in_turn(times: int, made: Callable[..., nn.Module], *layers: nn.Module) -> list[nn.Module]:
    """What is made of the layers, and of as many that share all but the running statistics, as somebody writes it."""
    rows = [layers]
    for _ in range(times - 1):
        copies = [deepcopy(layer) for layer in layers]
        for layer, copy in zip(layers, copies, strict=True):
            for name, parameter in layer.named_parameters():
                setattr(copy, name, parameter)
        rows.append(tuple(copies))
    return [made(*row) for row in rows]


def head(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


BY_HAND = {
    "c8b0r c12b0r gap fc10": lambda: [
        nn.Conv2d(1, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        *head(12),
    ],
    "c8k1x5p0x2 c6k5x1s2x1d3x1b0 c8g2n gap fc10": lambda: [
        nn.Conv2d(1, 8, (1, 5), padding=(0, 2)),
        nn.ReLU(),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 6, (5, 1), stride=(2, 1), dilation=(3, 1), bias=False),
        nn.ReLU(),
        nn.BatchNorm2d(6),
        nn.Conv2d(6, 8, 3, groups=2),
        nn.ReLU(),
        *head(8),
    ],
    "c4 s6p1b0r gap fc10": lambda: [
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
        nn.Conv2d(4, 6, 1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        *head(6),
    ],
    "c8b0l p3s2p1 bn relu c8k1p1 a3s2p1 relu p3x2 gap fc10": lambda: [
        nn.Conv2d(1, 8, 3, bias=False),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 1, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(8),
        nn.AvgPool2d(3, stride=2, padding=1),
        nn.ReLU(),
        nn.MaxPool2d((3, 2)),
        *head(8),
    ],
    "c8l gn4 silu c8l in gelu c8l inw1 lrelu0.2 c8l ln elu c8l gn2w0 tanh c8l lnw0 sigmoid bnw0 gap fc10": lambda: [
        nn.Conv2d(1, 8, 3),
        nn.GroupNorm(4, 8),
        nn.SiLU(),
        nn.Conv2d(8, 8, 3),
        nn.InstanceNorm2d(8),
        nn.GELU(),
        nn.Conv2d(8, 8, 3),
        nn.InstanceNorm2d(8, affine=True),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8, 8, 3),
        nn.LayerNorm([8, 20, 20]),
        nn.ELU(),
        nn.Conv2d(8, 8, 3),
        nn.GroupNorm(2, 8, affine=False),
        nn.Tanh(),
        nn.Conv2d(8, 8, 3),
        nn.LayerNorm([8, 16, 16], elementwise_affine=False),
        nn.Sigmoid(),
        nn.BatchNorm2d(8, affine=False),
        *head(8),
    ],
    "scale0.5 p4 flat bn fc20l bn relu fc16b0 ln fc10b0": lambda: [
        Times(0.5),
        nn.MaxPool2d(4),
        nn.Flatten(),
        nn.BatchNorm1d(49),
        nn.Linear(49, 20),
        nn.BatchNorm1d(20),
        nn.ReLU(),
        nn.Linear(20, 16, bias=False),
        nn.ReLU(),
        nn.LayerNorm(16),
        nn.Linear(16, 10, bias=False),
    ],
    "c8 res(relu c8p1b0r c8p1l) relu res(c6s2p1 bn | c6k1s2l) rep2(c6) gap fc10": lambda: [
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.BatchNorm2d(8),
        Sum(
            nn.Sequential(
                nn.ReLU(),
                nn.Conv2d(8, 8, 3, padding=1, bias=False),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.Conv2d(8, 8, 3, padding=1),
            ),
            nn.Identity(),
        ),
        nn.ReLU(),
        Sum(
            nn.Sequential(nn.Conv2d(8, 6, 3, stride=2, padding=1), nn.ReLU(), nn.BatchNorm2d(6), nn.BatchNorm2d(6)),
            nn.Conv2d(8, 6, 1, stride=2),
        ),
        nn.Conv2d(6, 6, 3),
        nn.ReLU(),
        nn.BatchNorm2d(6),
        nn.Conv2d(6, 6, 3),
        nn.ReLU(),
        nn.BatchNorm2d(6),
        *head(6),
    ],
    "c8b0r loop3(res(c8p1b0r)) p3 loop2(c8k1 loop2(bn)) gap fc10": lambda: [
        nn.Conv2d(1, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        *in_turn(
            3,
            lambda convolution, norm: Sum(nn.Sequential(convolution, norm, nn.ReLU()), nn.Identity()),
            nn.Conv2d(8, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
        ),
        nn.MaxPool2d(3),
        *in_turn(
            2,
            lambda convolution, norm, alone: nn.Sequential(
                convolution, nn.ReLU(), norm, *in_turn(2, lambda x: x, alone)
            ),
            nn.Conv2d(8, 8, 1),
            nn.BatchNorm2d(8),
            nn.BatchNorm2d(8),
        ),
        *head(8),
    ],
    "c8 tie2(c8b0 res(c8p1n)) p3 fc8 tie2(fc8 silu) fc10": lambda: [
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.BatchNorm2d(8),
        twice(
            nn.Conv2d(8, 8, 3, bias=False),
            nn.ReLU(),
            nn.BatchNorm2d(8),
            Sum(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()), nn.Identity()),
        ),
        nn.MaxPool2d(3),
        nn.Flatten(),
        nn.Linear(392, 8),
        nn.ReLU(),
        twice(nn.Linear(8, 8), nn.ReLU(), nn.SiLU()),
        nn.Linear(8, 10),
    ],
}


@pytest.mark.parametrize("spec", BY_HAND)
def test_a_network_equals_the_one_written_by_hand(spec):
    torch.manual_seed(0)
    summary = summarize(parse(spec))
    model = build_model(summary).double()
    by_hand = nn.Sequential(*BY_HAND[spec]()).double()
    by_hand.load_state_dict(dict(zip(by_hand.state_dict(), by_name(by_hand, model), strict=True)))
    assert summary.total_params == count_parameters(model) == count_parameters(by_hand)
    images = torch.randn(5, 1, 28, 28, dtype=torch.float64)
    kept = images.clone()
    for step in range(2):  # the second with running statistics that have moved
        outputs = [net(images) for net in (model, by_hand)]
        torch.testing.assert_close(*outputs)
        for net, output in zip((model, by_hand), outputs, strict=True):
            net.zero_grad()
            output.square().sum().backward()
        for mine, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, theirs.grad)
        for mine, theirs in zip(model.buffers(), by_hand.buffers(), strict=True):
            torch.testing.assert_close(mine, theirs)
        assert torch.equal(images, kept), step
    torch.testing.assert_close(model.eval()(images), by_hand.eval()(images))


def by_name(by_hand: nn.Module, model: nn.Module) -> list[Tensor]:
    """The model's weights in the order of the other's, in whose state those used twice stand twice."""
    twins = dict(zip(by_hand.parameters(), model.parameters(), strict=True))
    twins |= dict(zip(by_hand.buffers(), model.buffers(), strict=True))
    return [twins[tensor] for tensor in by_hand.state_dict(keep_vars=True).values()]


@pytest.mark.parametrize("spec", BY_HAND)
def test_the_first_weights_are_drawn_in_the_order_of_the_words(spec):
    torch.manual_seed(3)
    model = build_model(summarize(parse(spec)))
    torch.manual_seed(3)
    for mine, theirs in zip(model.parameters(), nn.Sequential(*BY_HAND[spec]()).parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_dropout_of_channels_drops_whole_channels():
    model = build_model(summarize(parse("c8l dc0.5 gap fc10")))[:2]
    maps = model(torch.randn(4, 1, 28, 28))
    silent = (maps == 0).flatten(2)
    assert torch.equal(silent.all(2), silent.any(2))
    assert 4 <= int(silent.all(2).sum()) <= 28


def test_names_follow_the_rows_of_the_table_inside_others_too():
    model = build_model(summarize(parse("c4 res(c4p1 | c4k1l) tie2(c4) gap fc10")))
    assert [name for name in model.state_dict() if name.endswith("weight")] == [
        "Conv2d-1.weight",
        "BatchNorm2d-2.weight",
        "Residual-6.0.Conv2d-3.weight",
        "Residual-6.0.BatchNorm2d-4.weight",
        "Residual-6.1.Conv2d-5.weight",
        "Tied_4.Conv2d-7.weight",
        "Tied_4.BatchNorm2d-8.weight",
        "Linear-12.weight",
    ]


def test_a_loop_has_each_parameter_once_in_its_state_and_takes_it_back():
    summary = summarize(parse("c4b0r loop2(c4p1b0r loop3(res(c4p1))) gap fc10"))
    torch.manual_seed(0)
    model = build_model(summary)
    model(torch.randn(8, 1, 28, 28))  # which moves the running statistics
    state = model.state_dict()
    parameters = [name for name in state if name.endswith((".weight", ".bias"))]
    assert sum(state[name].numel() for name in parameters) == summary.total_params
    assert len([name for name in state if name.endswith("running_mean")]) == 1 + 2 * (1 + 3)
    torch.manual_seed(1)
    others = build_model(summary), deepcopy(build_model(summary))
    with torch.device("meta"):
        empty = build_model(summary)
    for other, assign in ((others[0], False), (others[1], False), (empty, True)):
        other.load_state_dict(state, assign=assign)
        assert count_parameters(other) == summary.total_params
        images = torch.randn(2, 1, 28, 28)
        assert torch.equal(other.eval()(images), model.eval()(images))


def test_a_network_with_parts_can_be_copied_and_printed():
    model = build_model(summarize(parse("scale2 c4 res(c4p1) tie2(c4) gap fc10"))).eval()
    images = torch.randn(2, 1, 28, 28)
    assert torch.equal(deepcopy(model)(images), model(images))
    assert "times=2" in repr(model)
    assert "factor=2.0" in repr(model)
