"""Weights as values: copies that stay, an average made by hand."""

import pytest
import torch
from torch import nn

from core.storage.tensors import weights_sha256
from core.training.average import WeightAverage, copy_weights


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


def change(model: nn.Module) -> None:
    """One training step's worth of change: parameters, running statistics and the count of batches."""
    model.train()(torch.rand(4, 1, 4, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.rand_like(parameter))


def test_a_copy_has_every_parameter_and_buffer_and_does_not_follow_the_model(model):
    model.to(memory_format=torch.channels_last)
    copy = copy_weights(model)
    assert list(copy) == list(model.state_dict())
    before = weights_sha256(copy)
    assert before == weights_sha256(model.state_dict())
    assert all(tensor.is_contiguous() and not tensor.requires_grad for tensor in copy.values())
    change(model)
    assert weights_sha256(copy) == before != weights_sha256(copy_weights(model))
    model.load_state_dict(copy)
    assert weights_sha256(model.state_dict()) == before


@pytest.mark.parametrize("decay", [0.5, 0.998])
def test_the_average_is_the_one_worked_out_by_hand(model, decay):
    average = WeightAverage(model, decay)
    expected = {name: tensor.double() for name, tensor in copy_weights(model).items()}
    for step in range(12):
        change(model)
        average.update(average.shares(step, 1))
        keep = min(decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            expected[name] = keep * expected[name] + (1 - keep) * tensor.double()
    expected["1.num_batches_tracked"] = torch.tensor(12.0, dtype=torch.float64)
    for name, tensor in average.model.state_dict().items():
        torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-5, atol=1e-6)


def test_the_average_is_a_model_of_its_own_that_does_not_train(model):
    average = WeightAverage(model, 0.9)
    before = weights_sha256(average.model.state_dict())
    change(model)
    assert weights_sha256(average.model.state_dict()) == before
    assert not average.model.training
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
    after_step = weights_sha256(copy_weights(model))
    average.update(average.shares(0, 1))
    assert weights_sha256(copy_weights(model)) == after_step


def test_parameters_that_are_shared_stay_shared_and_are_averaged_once():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    average = WeightAverage(model, 0.5)
    start = model[0].weight.detach().clone()
    model[0].weight.data += 1
    average.update(average.shares(100, 1))
    assert average.model[0].weight is average.model[1].weight
    torch.testing.assert_close(average.model[0].weight, start + 0.5)
