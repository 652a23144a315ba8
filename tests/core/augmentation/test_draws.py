"""The random numbers of each kind: uniform within its limits, up to their ends, and independent of each other."""

import math

import pytest
import torch

from core.augmentation.draws import (
    LONGEST_SIDE,
    columns_of,
    draw_around,
    draw_boxes,
    draw_changes,
    draw_shifts,
    draw_warps,
    numbers_of,
)
from core.config import AUGMENTATIONS, TrainConfig

MANY = 20_000


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_uniform(numbers: torch.Tensor, low: float, high: float) -> None:
    """By the largest distance of the distribution from the straight line, which 1.95 / sqrt(n) bounds (Kolmogorov)."""
    assert low - 1e-6 <= float(numbers.min())
    assert float(numbers.max()) <= high + 1e-6
    ranks = torch.arange(1, len(numbers) + 1) / len(numbers)
    shares = (numbers.double().sort().values - low) / (high - low)
    assert float((shares - ranks).abs().max()) < 1.95 / math.sqrt(len(numbers))


@pytest.mark.parametrize(("most", "limit"), [(0, 0), (0.9, 0), (1, 1), (2.7, 2), (14, 14)])
def test_drawn_shifts_are_all_whole_numbers_up_to_the_limit(most, limit):
    drawn = draw_shifts(6000, most, generator())
    assert drawn.shape == (6000, 2)
    for column in drawn.unbind(1):
        values, counts = column.unique(return_counts=True)
        assert values.tolist() == list(range(-limit, limit + 1))
        expected = 6000 / (2 * limit + 1)
        assert float((counts - expected).abs().max()) < 6 * math.sqrt(expected) + 1
    assert limit == 0 or not torch.equal(drawn[:, 0], drawn[:, 1])


def test_drawn_warps_fill_their_limits_and_do_not_pass_them():
    drawn = draw_warps(6000, degrees=10, scale=0.1, shift=2.5, generator=generator())
    bounds = [(-math.radians(10), math.radians(10)), (0.9, 1.1), (-2.5, 2.5), (-2.5, 2.5)]
    for column, (low, high) in zip(drawn.unbind(1), bounds, strict=True):
        assert low - 1e-6 <= float(column.min()) < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < float(column.max()) <= high + 1e-6
        assert float(column.mean()) == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    assert float(torch.corrcoef(drawn.T).triu(1).abs().max()) < 0.1


def test_warps_with_limits_of_nothing_are_the_identity():
    drawn = draw_warps(5, degrees=0, scale=0, shift=0, generator=generator())
    assert torch.equal(drawn, torch.tensor([[0.0, 1.0, 0.0, 0.0]]).expand(5, 4))


@pytest.mark.parametrize(("middle", "most"), [(0.0, 0.3), (1.0, 0.25), (1.0, 1.0)])
def test_numbers_around_a_middle_are_uniform(middle, most):
    assert_uniform(draw_around(middle, most, MANY, generator()).flatten(), middle - most, middle + most)


@pytest.mark.parametrize(("largest", "smallest"), [(0.1, 0.02), (0.4, 0.02), (0.99, 0.02), (0.01, 0.01)])
def test_rectangles_have_areas_up_to_the_largest_and_fit(largest, smallest):
    height, width, down, right = draw_boxes(MANY, largest=largest, chance=1.0, generator=generator()).unbind(1)
    assert float(torch.maximum(height, width).max()) <= 1 + 1e-6
    if smallest < largest:
        assert_uniform(height * width, smallest, largest)
    else:
        torch.testing.assert_close(height * width, torch.full((MANY,), largest))
    ratio = (height / width).log()
    assert float(ratio.abs().max()) <= math.log(LONGEST_SIDE) + 1e-4
    assert abs(float(ratio.mean())) < 0.05
    if largest <= 0.3:
        assert_uniform(ratio, -math.log(LONGEST_SIDE), math.log(LONGEST_SIDE))
    for place in (down, right):
        assert_uniform(place, 0, 1)


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_so_many_images_have_a_rectangle(chance):
    erased = draw_boxes(MANY, largest=0.1, chance=chance, generator=generator())[:, 0] > 0
    assert float(erased.float().mean()) == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / MANY))


def test_nothing_is_erased_where_the_largest_rectangle_has_no_area():
    assert not draw_boxes(100, largest=0.0, chance=1.0, generator=generator())[:, :2].any()


def test_seeds_of_displacements_are_as_good_as_all_different():
    seeds = draw_changes(TrainConfig(augment="elastic"), MANY, generator())
    assert seeds.dtype == torch.int32
    assert len(seeds.unique()) > MANY - 40
    assert_uniform(seeds.flatten(), 0, 2**24)


def test_a_list_draws_as_its_first_kind_alone_and_then_goes_on():
    alone = draw_changes(TrainConfig(augment="affine"), 300, generator(7))
    both = draw_changes(TrainConfig(augment="affine,erase"), 300, generator(7))
    assert torch.equal(both[:, :4], alone)
    everything = draw_changes(TrainConfig(augment=",".join(AUGMENTATIONS)), 300, generator(7))
    columns = columns_of(AUGMENTATIONS)
    assert everything.shape == (300, numbers_of(AUGMENTATIONS))
    assert list(columns) == list(AUGMENTATIONS)
    for kind, part in columns.items():
        assert everything[:, part].shape[1] == numbers_of((kind,))
    assert not torch.equal(everything[:, columns["shift"]], everything[:, columns["crop"]])
    seeds = everything[:, columns["elastic"]]
    assert torch.equal(seeds, seeds.round())


def test_seeds_beside_other_numbers_are_kept_whole():
    odd = torch.tensor([[2**24 - 1]], dtype=torch.int32)
    assert int(torch.cat([odd, torch.rand(1, 1)], 1)[0, 0]) == 2**24 - 1


def test_nothing_is_drawn_for_none():
    assert draw_changes(TrainConfig(), 10, generator()) is None
