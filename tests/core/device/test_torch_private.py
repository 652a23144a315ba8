"""What the project relies on in torch beyond its documentation, each held against plain arithmetic.

A failure names the function that a version of torch has changed, which is to be mended in `core.device.torch_private`.
"""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import core
from core.device import torch_private
from core.training.step import counted_together, counting_norms

VERSION = f"torch {torch.__version__} has changed"


def assert_equals(found: Tensor, expected: Tensor, name: str) -> None:
    assert found.shape == expected.shape, f"{VERSION} the shape of what {name} gives"
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-7), f"{VERSION} what {name} computes"


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_a_step_of_sgd_is_the_textbooks(momentum, nesterov):
    name = "torch._fused_sgd_"
    parameters = [numbers(3, 2, seed=1), numbers(4, seed=2)]
    buffers = [torch.zeros_like(parameter) for parameter in parameters] if momentum else []
    expected, velocity = [one.clone() for one in parameters], [torch.zeros_like(one) for one in parameters]
    lr = torch.zeros(1, dtype=torch.float64)
    for step in range(3):
        lr.fill_(0.1 / (step + 1))
        gradients = [numbers(*one.shape, seed=10 * step + index) for index, one in enumerate(parameters)]
        torch_private.fused_sgd(
            parameters,
            [one.clone() for one in gradients],
            buffers,
            lr=lr,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=0.01,
        )
        for index, gradient in enumerate(gradients):
            slope = gradient + 0.01 * expected[index]
            velocity[index] = momentum * velocity[index] + slope
            expected[index] = expected[index] - lr * (
                slope + momentum * velocity[index] if nesterov else velocity[index]
            )
    for found, wanted in zip(parameters, expected, strict=True):
        assert_equals(found, wanted, name)
    for found, wanted in zip(buffers, velocity, strict=False):
        assert_equals(found, wanted, f"{name} (momentum)")


@pytest.mark.parametrize("decoupled", [False, True])
def test_a_step_of_adam_is_the_textbooks(decoupled):
    name = "torch._fused_adamw_" if decoupled else "torch._fused_adam_"
    parameters = [numbers(3, 2, seed=1), numbers(4, seed=2)]
    means, squares = ([torch.zeros_like(parameter) for parameter in parameters] for _ in range(2))
    steps = [torch.zeros(()) for _ in parameters]
    expected = [one.clone() for one in parameters]
    mean, square = ([torch.zeros_like(one) for one in parameters] for _ in range(2))
    lr = torch.zeros(1, dtype=torch.float64)
    for step in range(1, 4):
        lr.fill_(0.1 / step)
        gradients = [numbers(*one.shape, seed=10 * step + index) for index, one in enumerate(parameters)]
        torch_private.count_each(steps)
        torch_private.fused_adam(
            parameters,
            [one.clone() for one in gradients],
            means,
            squares,
            steps,
            lr=lr,
            betas=(0.8, 0.95),
            eps=1e-3,
            weight_decay=0.01,
            decoupled=decoupled,
        )
        for index, gradient in enumerate(gradients):
            slope = gradient if decoupled else gradient + 0.01 * expected[index]
            mean[index] = 0.8 * mean[index] + 0.2 * slope
            square[index] = 0.95 * square[index] + 0.05 * slope**2
            root = (square[index] / (1 - 0.95**step)).sqrt() + 1e-3
            shrunk = expected[index] * (1 - 0.01 * lr) if decoupled else expected[index]
            expected[index] = shrunk - lr * mean[index] / (1 - 0.8**step) / root
    assert [float(one) for one in steps] == [3.0, 3.0], f"{VERSION} the steps that {name} counts"
    for found, wanted in zip((*parameters, *means, *squares), (*expected, *mean, *square), strict=True):
        assert_equals(found, wanted, name)


def test_operations_on_lists_of_tensors_do_what_they_do_on_each():
    ones, twos = ([numbers(2, 3, seed=seed), numbers(4, seed=seed + 1)] for seed in (1, 3))
    weights = [torch.tensor([0.25], dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)]
    for name, call, wanted in (
        (
            "torch._foreach_add_",
            lambda to: torch_private.add_to_each(to, twos),
            [a + b for a, b in zip(ones, twos, strict=True)],
        ),
        ("torch._foreach_mul_", lambda to: torch_private.multiply_each(to, 3.0), [3 * a for a in ones]),
        ("torch._foreach_copy_", lambda to: torch_private.copy_to_each(to, twos), twos),
        (
            "torch._foreach_lerp_",
            lambda to: torch_private.lerp_each(to, twos, weights),
            [a + w * (b - a) for a, b, w in zip(ones, twos, weights, strict=True)],
        ),
        (
            "torch._foreach_lerp_ with a number",
            lambda to: torch_private.lerp_each(to, twos, 0.25),
            [a + 0.25 * (b - a) for a, b in zip(ones, twos, strict=True)],
        ),
        (
            "torch._foreach_lerp_ with a tensor",
            lambda to: torch_private.lerp_each(to, twos, weights[0][0]),
            [a + 0.25 * (b - a) for a, b in zip(ones, twos, strict=True)],
        ),
        ("torch._foreach_add_ with a number", torch_private.count_each, [a + 1 for a in ones]),
        ("torch._foreach_add_ with a number", lambda to: torch_private.add_to_each(to, 0.5), [a + 0.5 for a in ones]),
        (
            "torch._foreach_add_ with a factor",
            lambda to: torch_private.add_to_each(to, twos, 0.5),
            [a + 0.5 * b for a, b in zip(ones, twos, strict=True)],
        ),
        ("torch._foreach_mul_", lambda to: torch_private.multiply_each(to, weights[0][0]), [0.25 * a for a in ones]),
        (
            "torch._foreach_addcmul_",
            lambda to: torch_private.add_products_to_each(to, ones, twos, 0.5),
            [a + 0.5 * a * b for a, b in zip(ones, twos, strict=True)],
        ),
        (
            "torch._foreach_addcdiv_",
            lambda to: torch_private.add_quotients_to_each(to, ones, twos),
            [a + a / b for a, b in zip(ones, twos, strict=True)],
        ),
    ):
        tensors = [one.clone() for one in ones]
        call(tensors)
        for found, expected in zip(tensors, wanted, strict=True):
            assert_equals(found, expected, name)
    sums = torch_private.sums_of_each(ones, twos, 0.5)
    for found, one, two in zip(sums, ones, twos, strict=True):
        assert_equals(found, one + 0.5 * two, "torch._foreach_add")
    for name, results, wanted in (
        ("torch._foreach_mul", torch_private.products_of_each(ones, 3.0), [3 * a for a in ones]),
        ("torch._foreach_mul", torch_private.products_of_each(ones, weights[0][0]), [0.25 * a for a in ones]),
        (
            "torch._foreach_div",
            torch_private.quotients_of_each(ones, twos),
            [a / b for a, b in zip(ones, twos, strict=True)],
        ),
        ("torch._foreach_sqrt", torch_private.roots_of_each([a.abs() for a in ones]), [a.abs().sqrt() for a in ones]),
        ("torch._foreach_sign", torch_private.signs_of_each(ones), [a.sign() for a in ones]),
    ):
        for found, expected in zip(results, wanted, strict=True):
            assert_equals(found, expected, name)


@pytest.mark.parametrize("padding", [0, 2])
def test_the_gradients_of_a_convolution_are_those_of_autograd(padding):
    x, weight, bias = (
        numbers(2, 3, 7, 8),
        numbers(4, 3, 3, 3, seed=1).requires_grad_(),
        numbers(4, seed=2).requires_grad_(),
    )
    output = F.conv2d(x, weight, bias, padding=(0, padding))
    gradient = numbers(*output.shape, seed=3)
    expected = torch.autograd.grad(output, (weight, bias), gradient)
    for found, wanted in zip(
        torch_private.convolution_gradients(gradient, x, weight.shape, padding), expected, strict=True
    ):
        assert_equals(found, wanted, "aten::convolution_backward")


def test_the_statistics_of_columns_are_mean_and_biased_variance_in_the_type_asked_for():
    rows = numbers(50, 6)
    mean, variance = torch_private.column_statistics(rows, rows[0])
    assert_equals(mean, rows.mean(0), "aten::batch_norm_update_stats (mean)")
    assert_equals(variance, rows.var(0, correction=0), "aten::batch_norm_update_stats (variance)")
    half = torch_private.column_statistics(rows.bfloat16(), rows[0].float())
    assert [one.dtype for one in half] == [torch.float32] * 2, f"{VERSION} the type of aten::batch_norm_update_stats"


def test_scaled_columns_are_rounded_once():
    rows, scale, offset = numbers(50, 6).bfloat16(), numbers(6, seed=1).float(), numbers(6, seed=2).float()
    expected = (rows.float() * scale + offset).bfloat16()
    found = torch_private.scaled_columns(rows, scale, offset)
    assert found.dtype == torch.bfloat16
    close = (found.float() - expected.float()).abs() <= 2**-8 * expected.float().abs()
    assert bool(close.all()), f"{VERSION} what torch.native_batch_norm computes"


def test_the_gradients_of_scaled_columns_are_those_of_autograd():
    rows, scale = numbers(50, 6).requires_grad_(), numbers(6, seed=1).requires_grad_()
    mean, offset, gradient = (
        numbers(6, seed=2),
        torch.zeros(6, dtype=torch.float64).requires_grad_(),
        numbers(50, 6, seed=3),
    )
    expected = torch.autograd.grad((rows - mean) * scale + offset, (rows, scale, offset), gradient)
    found = torch_private.scaled_columns_backward(gradient, rows.detach(), scale.detach(), mean)
    for one, wanted in zip(found, expected, strict=True):
        assert_equals(one, wanted, "aten::native_batch_norm_backward")


def test_every_operation_of_forward_and_backward_passes_by_a_dispatch_mode():
    class Listed(torch_private.TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.names: list[str] = []

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            leaves, _ = torch_private.tree_flatten((args, kwargs or {}))
            assert any(isinstance(leaf, Tensor) for leaf in leaves), f"{VERSION} torch.utils._pytree.tree_flatten"
            self.names.append(func.name())
            return func(*args, **(kwargs or {}))

    weight = numbers(3).requires_grad_()
    with Listed() as listed:
        (weight * weight.detach()).sum().backward()
    assert listed.names.count("aten::mul.Tensor") == 2, f"{VERSION} what TorchDispatchMode is shown: {listed.names}"


def test_a_batch_norm_without_a_counter_computes_what_it_does_with_one():
    plain = nn.Sequential(nn.BatchNorm2d(3))
    counted = deepcopy(plain)
    x = numbers(4, 3, 5, 5).float()
    with counted_together(counting_norms(counted)):
        found = counted(x)
    assert torch.equal(found, plain(x)), f"{VERSION} batch norms whose num_batches_tracked is None"
    for name, value in plain.state_dict().items():
        assert torch.equal(counted.state_dict()[name], value), f"{VERSION} {name} of such batch norms"


def test_what_somebody_has_set_is_told_and_can_be_put_back():
    assert torch_private.default_device() is None, f"{VERSION} set_default_device"
    try:
        torch.set_default_device("meta")
        assert torch_private.default_device() == torch.device("meta"), f"{VERSION} set_default_device"
        torch.set_printoptions(precision=7)
        assert torch_private.PRINT_OPTIONS.precision == 7, f"{VERSION} set_printoptions"
    finally:
        torch.set_default_device(None)
        torch.set_printoptions(profile="default")
    torch_private.set_gradients(False)
    assert not torch.is_grad_enabled(), f"{VERSION} torch._C._set_grad_enabled"
    torch_private.set_gradients(True)
    makers = [name for name in ("zeros", "tensor", "relu", "sum") if torch_private.makes_tensors(getattr(torch, name))]
    assert makers == ["zeros", "tensor"], f"{VERSION} _device_constructors"


PRIVATE = re.compile(
    r"\btorch(\.\w+)*\._(?!_)\w+|\bimport\b.*\b_[A-Z]\w+|torch\.ops\.|torch\.optim\.sgd\b|native_batch_norm"
)


def test_nothing_private_of_torch_is_used_elsewhere():
    root = Path(core.__file__).parents[1]
    adapter = Path(torch_private.__file__)
    found = [
        f"{path.relative_to(root)}: {line.strip()}"
        for package in ("core", "experiments", "tui")
        for path in sorted((root / package).rglob("*.py"))
        if path != adapter
        for line in path.read_text().splitlines()
        if PRIVATE.search(line) and "torch" in line
    ]
    assert found == []
