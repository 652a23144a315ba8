"""L1 and clipping of gradients, for one network and for each of several copies."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.training.optimizers.gradients import add_l1, clip_norm


def with_gradient(values: Tensor, gradient: Tensor | None) -> nn.Parameter:
    parameter = nn.Parameter(values)
    parameter.grad = gradient
    return parameter


@torch.no_grad()
def test_the_gradient_of_the_absolute_value_is_added_where_there_is_a_gradient():
    moved = with_gradient(torch.tensor([2.0, -0.5, 0.0]), torch.tensor([1.0, 1.0, 1.0]))
    unused = with_gradient(torch.ones(2), None)
    add_l1([moved, unused], 0.25)
    assert moved.grad is not None
    assert moved.grad.tolist() == [1.25, 0.75, 1.0]
    assert unused.grad is None
    add_l1([unused], 0.25)


@torch.no_grad()
def test_each_copy_is_clipped_by_its_own_norm():
    long, short = torch.tensor([3.0, 4.0]), torch.tensor([0.3, 0.4])
    kernel = with_gradient(torch.zeros(4), torch.cat([long, short]))
    bias = with_gradient(torch.zeros(2), torch.tensor([12.0, 0.0]))
    clip_norm([kernel, bias, with_gradient(torch.zeros(2), None)], 1.3, copies=2)
    assert kernel.grad is not None
    assert bias.grad is not None
    torch.testing.assert_close(kernel.grad, torch.cat([0.1 * long, short]))
    torch.testing.assert_close(bias.grad, torch.tensor([1.2, 0.0]))


@torch.no_grad()
def test_gradients_of_several_types_have_one_norm():
    one = with_gradient(torch.zeros(1), torch.tensor([3.0]))
    other = with_gradient(torch.zeros(1, dtype=torch.float64), torch.tensor([4.0], dtype=torch.float64))
    clip_norm([one, other], 1.0)
    assert one.grad is not None
    assert other.grad is not None
    torch.testing.assert_close(one.grad, torch.tensor([0.6]), rtol=1e-5, atol=0)
    torch.testing.assert_close(other.grad, torch.tensor([0.8], dtype=torch.float64), rtol=1e-5, atol=0)
