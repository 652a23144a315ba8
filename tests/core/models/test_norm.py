"""Batch norm for narrow layers is torch's batch norm, only worked out otherwise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.models.norm import BatchNorm2d

SHAPES = [(256, 8, 26, 26), (96, 8, 5, 5), (7, 3, 4, 6), (5, 12, 3, 3), (2, 22, 1, 1), (33, 1, 7, 7), (4, 10, 28, 28)]


def images(shape, dtype=torch.float64) -> torch.Tensor:
    """Activations as a ReLU leaves them, channels_last."""
    batch, channels, height, width = shape
    values = torch.randn(batch, height, width, channels, dtype=dtype) * 2 + 0.5
    return values.relu_().permute(0, 3, 1, 2)


def pair(channels: int, dtype=torch.float64):
    """torch's module and ours with the same, not trivial, state."""
    theirs, ours = nn.BatchNorm2d(channels).to(dtype), BatchNorm2d(channels).to(dtype)
    with torch.no_grad():
        for tensor in (theirs.weight, theirs.bias, theirs.running_mean, theirs.running_var):
            tensor.uniform_(0.5, 1.5)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def is_ours(y: torch.Tensor) -> bool:
    return type(y.grad_fn).__name__ == "_NormaliseBackward"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_output_gradients_and_running_statistics_are_torchs(shape):
    torch.manual_seed(0)
    theirs, ours = pair(shape[1])
    for _ in range(3):
        x, gradient = images(shape).requires_grad_(), torch.randn(shape, dtype=torch.float64)
        expected, found = theirs(x), ours(x)
        assert is_ours(found)
        assert found.stride() == x.stride()
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
        for one, other in zip(
            torch.autograd.grad(found, [x, ours.weight, ours.bias], gradient),
            torch.autograd.grad(expected, [x, theirs.weight, theirs.bias], gradient),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    for (name, one), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12, msg=name)


def test_the_gradient_is_that_of_finite_differences():
    torch.manual_seed(0)
    _, ours = pair(3)
    x = images((4, 3, 2, 2)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, w, b: torch.func.functional_call(ours, {"weight": w, "bias": b}, x),
        (x, ours.weight.detach().requires_grad_(), ours.bias.detach().requires_grad_()),
    )


def test_in_single_precision_it_is_nearer_to_the_truth_than_torchs_own():
    torch.manual_seed(0)
    exact, _ = pair(8)
    theirs, ours = nn.BatchNorm2d(8), BatchNorm2d(8)
    for module in (theirs, ours):
        module.load_state_dict(exact.state_dict())
    x = images((256, 8, 26, 26), torch.float32)
    truth = exact(x.double())
    assert (ours(x) - truth).abs().max() < (theirs(x) - truth).abs().max()


@pytest.mark.parametrize("shape", [(8, 16, 5, 5), (8, 32, 3, 3)], ids=str)
def test_wide_layers_are_left_to_torch(shape):
    _, ours = pair(shape[1])
    assert not is_ours(ours(images(shape).requires_grad_()))


def test_tensors_of_another_layout_are_left_to_torch():
    theirs, ours = pair(8, torch.float32)
    contiguous = images((4, 8, 5, 5), torch.float32).contiguous().requires_grad_()
    assert not is_ours(ours(contiguous))
    theirs(contiguous)
    for one, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("channels", [8, 16])
def test_in_bfloat16_it_is_as_near_to_the_truth_as_torchs_own(channels):
    torch.manual_seed(0)
    theirs, ours = pair(channels, torch.float32)
    exact, _ = pair(channels)
    exact.load_state_dict(ours.state_dict())
    shape = (64, channels, 13, 13)
    x, gradient = images(shape, torch.bfloat16).requires_grad_(), torch.randn(shape, dtype=torch.bfloat16)

    def results(module: nn.Module, dtype: torch.dtype = torch.bfloat16) -> list[torch.Tensor]:
        y = module(x.to(dtype))
        return [y, *torch.autograd.grad(y, [x, *module.parameters()], gradient.to(dtype)), module.running_var]

    found, expected, truth = results(ours), results(theirs), results(exact, torch.float64)
    assert is_ours(found[0])
    for one, other, exactly in zip(found, expected, truth, strict=True):
        assert one.dtype == other.dtype
        assert (one - exactly).norm() < 1.2 * (other - exactly).norm()


def test_in_evaluation_the_running_statistics_are_used_and_kept():
    theirs, ours = pair(8)
    x = images((4, 8, 5, 5))
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
    assert all(torch.equal(value, before[name]) for name, value in ours.state_dict().items())


def test_a_single_value_a_channel_is_refused_as_torch_refuses_it():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        BatchNorm2d(8)(torch.zeros(1, 8, 1, 1))


def test_a_channel_without_deviation_gives_its_bias():
    _, ours = pair(8)
    x = torch.full((4, 5, 5, 8), 3.0, dtype=torch.float64).permute(0, 3, 1, 2)
    torch.testing.assert_close(ours(x), ours.bias[None, :, None, None].expand(4, 8, 5, 5))
