"""Modules built from summaries and configs: shapes, seeds, counts and the check of a module's output."""

import pytest
import torch
from torch import nn

from core.advice import Action, Tip
from core.config import TrainConfig
from core.errors import InvalidValue, OverBudget, SpecError
from core.models.build import build_model, check_output, count_parameters
from core.models.network import make_network, summarize_config
from core.models.spec import REGISTRY, find, parse
from core.models.summary import summarize
from core.storage.tensors import weights_sha256
from core.training.average import copy_weights


@pytest.mark.parametrize("name", REGISTRY)
def test_named_networks_map_images_to_logits_and_learn_from_every_parameter(name):
    model = build_model(summarize(find(name)))
    logits = model(torch.rand(3, 1, 28, 28))
    assert logits.shape == (3, 10)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_block_is_convolution_relu_norm_in_this_order_with_torchs_defaults():
    model = build_model(summarize(parse("c8k5p2s2 p2 gap fc10")))
    by_hand = nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.BatchNorm2d(8),
        nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )
    by_hand.load_state_dict(dict(zip(by_hand.state_dict(), model.state_dict().values(), strict=True)))
    images = torch.rand(4, 1, 28, 28)
    assert torch.equal(model(images), by_hand(images))  # in training mode: the batch's own statistics
    assert torch.equal(model.eval()(images), by_hand.eval()(images))


def test_a_separable_block_is_depthwise_then_pointwise_then_relu_and_norm():
    model = build_model(summarize(parse("c4 s6p1 gap fc10")))
    depthwise, pointwise, relu, norm = list(model)[3:7]
    assert (depthwise.groups, depthwise.kernel_size, depthwise.padding, depthwise.bias) == (4, (3, 3), (1, 1), None)
    assert (pointwise.groups, pointwise.kernel_size, pointwise.padding, len(pointwise.bias)) == (1, (1, 1), (0, 0), 6)
    assert isinstance(relu, nn.ReLU)
    assert isinstance(norm, nn.BatchNorm2d)


def test_modules_are_named_by_their_row_in_the_layer_table():
    summary = summarize(find("conv5"))
    names = [name for name, _ in build_model(summary).named_children()]
    assert [name for name in names if "-" in name] == [row.label for row in summary.rows]


def test_the_seed_and_nothing_before_it_decides_the_initial_weights():
    def weights(seed: int) -> str:
        torch.rand(seed + 1)
        return weights_sha256(copy_weights(make_network(TrainConfig(seed=seed))[1]))

    assert weights(0) == weights(0)
    assert weights(0) != weights(1)


def test_shared_parameters_count_once_and_frozen_ones_only_in_the_total():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    model[1] = model[0]
    model[2].requires_grad_(False)
    assert count_parameters(model) == 40
    assert count_parameters(model, trainable_only=True) == 20


class Returns(nn.Module):
    def __init__(self, output: object) -> None:
        super().__init__()
        self.output = output
        self.modes: list[bool] = []

    def forward(self, images: torch.Tensor) -> object:
        self.modes.append(self.training)
        if isinstance(self.output, Exception):
            raise self.output
        return self.output


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (torch.zeros(2, 10), ""),
        (torch.zeros(2, 9), "2 images gave an output of shape (2, 9), not (2, 10)"),
        (torch.zeros(2, 10, 1, 1), "2 images gave an output of shape (2, 10, 1, 1), not (2, 10)"),
        (torch.zeros(2, 10, dtype=torch.int64), "the output is torch.int64, not floating point"),
        ((torch.zeros(2, 10),), "forward returned tuple, not a tensor"),
        (None, "forward returned NoneType, not a tensor"),
    ],
)
def test_an_output_that_is_not_logits_is_told_in_words(output, problem):
    model = Returns(output)
    assert check_output(model) == problem
    assert (model.modes, model.training) == ([False], True)


def test_a_forward_that_raises_leaves_the_mode_as_it_was():
    model = Returns(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        check_output(model)
    assert model.training


def test_a_network_over_the_budget_is_refused_with_both_numbers(presentable):
    config = TrainConfig(arch="c64 c64 gap fc10")  # 640 + 128 + 36,928 + 128 + 650 parameters
    with pytest.raises(OverBudget) as caught:
        make_network(config)
    presentable(caught.value.message, "38,474", "18,474 over", "20,000")
    assert Tip(Action.RAISE_BUDGET, "max_params") in caught.value.advice.parts
    for allowed in (config.changed(budget=False), config.changed(max_params=38_474)):
        assert make_network(allowed)[0].total_params == 38_474
    with pytest.raises(OverBudget):
        make_network(config.changed(max_params=38_473))


def test_the_configs_dropout_is_put_into_the_network():
    summary, model = make_network(TrainConfig(dropout=0.1))
    assert [module.p for module in model if isinstance(module, nn.Dropout)] == [0.1] * 8
    assert summary.spec.startswith("c8 d0.1 c8 d0.1 c16 d0.1 p2")
    assert summary.total_params == 19_458


def test_what_cannot_be_built_is_refused_before_anything_is():
    with pytest.raises(SpecError):
        summarize_config(TrainConfig(arch="c8 p40 fc10"))
    with pytest.raises(InvalidValue, match=r"dropout = 0\.5: must be 0 for a module of your own"):
        summarize_config(TrainConfig(arch="nets.py:Net", dropout=0.5))
    assert summarize_config(TrainConfig(arch="nets.py:Net")) is None
