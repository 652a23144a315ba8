"""Matrices are made orthogonal by Newton and Schulz's iteration, many at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.training.optimizers.muon import COEFFICIENTS, ROUNDS, orthogonal_of_each


def one_by_one(matrix: Tensor) -> Tensor:
    """The iteration as it is written down, for one matrix."""
    first, third, fifth = COEFFICIENTS
    x = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    x = x / x.norm()
    for _ in range(ROUNDS):
        square = x @ x.T
        x = first * x + (third * square + fifth * square @ square) @ x
    rows, columns = matrix.shape
    return x if rows <= columns else x.T * (rows / columns) ** 0.5


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-4)])
def test_stacks_of_many_shapes_are_worked_on_as_each_matrix_by_itself(dtype, tolerance):
    shapes = [(1, 8, 9), (3, 8, 72), (1, 32, 144), (2, 40, 12), (1, 33, 40), (1, 70, 70), (1, 16, 2)]
    generator = torch.Generator().manual_seed(0)
    stacks = [1e-3 * torch.randn(*shape, generator=generator, dtype=dtype) for shape in shapes]
    for stack, found in zip(stacks, orthogonal_of_each(stacks), strict=True):
        assert found.shape == stack.shape
        assert found.dtype == dtype
        for matrix, result in zip(stack, found, strict=True):
            expected = one_by_one(matrix.double())
            assert float((result - expected).norm()) <= tolerance * float(expected.norm())


def test_singular_values_come_near_1_and_vectors_stay():
    matrix = torch.randn(12, 30, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (found,) = orthogonal_of_each([matrix[None]])
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    turned = left.T @ found[0] @ right.T
    assert bool(((turned.diagonal() > 0.6) & (turned.diagonal() < 1.3)).all())
    assert float((turned - turned.diagonal().diag()).abs().max()) < 1e-9


def test_a_matrix_of_zeros_stays_one():
    assert not orthogonal_of_each([torch.zeros(2, 5, 4)])[0].any()
