"""Convolution of narrow layers is torch's convolution, only worked out otherwise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.models.conv import Conv2d

# Channels in and out, kernel, (batch, height, width): widths even and odd, rows of one result, kernels of 3 to 7.
NARROW = [
    (1, 8, 3, (4, 28, 28)),
    (8, 8, 3, (5, 26, 26)),
    (8, 16, 3, (5, 24, 24)),
    (3, 2, 3, (2, 7, 9)),
    (8, 5, 5, (3, 11, 12)),
    (6, 20, 7, (2, 9, 8)),
    (1, 1, 3, (1, 3, 3)),
    (4, 8, 3, (2, 3, 4)),
]


def pair(inputs: int, outputs: int, kernel: int = 3, dtype=torch.float64, **options):
    """torch's module and ours with the same weights."""
    theirs, ours = (make(inputs, outputs, kernel, **options).to(dtype) for make in (nn.Conv2d, Conv2d))
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def images(batch: int, channels: int, height: int, width: int, dtype=torch.float64) -> torch.Tensor:
    """channels_last, whose gradient is wanted."""
    return torch.randn(batch, height, width, channels, dtype=dtype).permute(0, 3, 1, 2).requires_grad_()


def is_ours(y: torch.Tensor) -> bool:
    return type(y.grad_fn).__name__ == "_ConvolveBackward"


@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "size", "bias"),
    [(*case, bias) for case in NARROW for bias in (True, False) if bias or case[1] > 1],
    ids=str,
)
@pytest.mark.parametrize("is_first", [False, True], ids=["inside", "first layer"])
def test_output_and_gradients_are_torchs(inputs, outputs, kernel, size, bias, is_first):
    torch.manual_seed(0)
    theirs, ours = pair(inputs, outputs, kernel, bias=bias)
    batch, height, width = size
    x = images(batch, inputs, height, width)
    if is_first:
        x = x.detach()
    expected, found = theirs(x), ours(x)
    assert is_ours(found)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    gradient = torch.randn_like(expected)
    for one, other in zip(
        torch.autograd.grad(found, [*ours.parameters(), *([] if is_first else [x])], gradient),
        torch.autograd.grad(expected, [*theirs.parameters(), *([] if is_first else [x])], gradient),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def test_the_gradient_is_that_of_finite_differences():
    torch.manual_seed(0)
    _, ours = pair(2, 3)
    x, weight, bias = images(2, 2, 5, 6), ours.weight.detach().requires_grad_(), ours.bias.detach().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, w, b: torch.func.functional_call(ours, {"weight": w, "bias": b}, x), (x, weight, bias)
    )


def test_a_relu_may_change_the_output_in_place():
    torch.manual_seed(0)
    theirs, ours = pair(8, 8)
    x = images(3, 8, 10, 10)
    expected, found = (nn.ReLU(inplace=True)(module(x)).square().sum() for module in (theirs, ours))
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)
    for one, other in zip(torch.autograd.grad(found, [x]), torch.autograd.grad(expected, [x]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "options"),
    [
        (9, 8, 3, {}),
        (8, 8, 1, {}),
        (8, 8, 2, {}),
        (8, 8, (3, 5), {}),
        (8, 8, 3, {"padding": 1}),
        (8, 8, 3, {"stride": 2}),
        (8, 8, 3, {"dilation": 2}),
        (8, 8, 3, {"groups": 8}),
        (1, 1, 3, {"bias": False}),
    ],
    ids=str,
)
def test_other_convolutions_are_left_to_torch(inputs, outputs, kernel, options):
    theirs, ours = pair(inputs, outputs, kernel, **options)
    x = images(2, inputs, 12, 12)
    found = ours(x)
    assert not is_ours(found)
    assert torch.equal(found, theirs(x))


def test_tensors_of_another_layout_are_left_to_torch():
    _, ours = pair(8, 8)
    assert not is_ours(ours(images(2, 8, 12, 12).contiguous()))


def test_autocast_has_it_in_bfloat16_as_near_to_the_truth_as_torchs_own():
    torch.manual_seed(0)
    theirs, ours = pair(8, 16, dtype=torch.float32)
    exact, _ = pair(8, 16)
    exact.load_state_dict(ours.state_dict())
    x, gradient = images(8, 8, 12, 12, torch.float32), torch.randn(8, 16, 10, 10)

    def results(module: nn.Module, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
        y = module(x.to(dtype))
        return [y, *torch.autograd.grad(y, [x, *module.parameters()], gradient.to(y.dtype))]

    truth = results(exact, torch.float64)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = results(ours), results(theirs)
    assert is_ours(found[0])
    for one, other, exactly in zip(found, expected, truth, strict=True):
        assert one.dtype == other.dtype
        assert (one - exactly).norm() < 1.2 * (other - exactly).norm()


def test_evaluation_is_left_to_torch():
    theirs, ours = pair(8, 8)
    x = images(2, 8, 12, 12)
    assert not is_ours(ours.eval()(x))
    assert torch.equal(ours(x), theirs(x))
