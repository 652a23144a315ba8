"""Shifts and warps of a whole batch, held against one image at a time and against what geometry says."""

import math

import pytest
import torch
from torch.nn import functional as F

from core.training.augment import draw_shifts, draw_warps, shift_images, warp_images


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shift_one(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Framed in zeros as wide as the image itself, and cut out again at another place."""
    height, width = image.shape
    framed = F.pad(image, (width, width, height, height))
    return framed[height - down : 2 * height - down, width - right : 2 * width - right]


def changes(**given: float) -> torch.Tensor:
    values = {"angle": 0.0, "factor": 1.0, "down": 0.0, "right": 0.0} | given
    return torch.tensor([list(values.values())])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("size", [(28, 28), (5, 9)])
def test_shifts_equal_a_loop_over_the_images(dtype, size):
    images = torch.randint(0, 256, (60, *size), generator=generator()).to(dtype)
    before = images.clone()
    offsets = torch.randint(-size[0], size[0] + 1, (60, 2), generator=generator(1), dtype=torch.int8)
    moved = shift_images(images, offsets)
    assert moved.dtype == dtype
    for image, result, (down, right) in zip(images, moved, offsets.tolist(), strict=True):
        assert torch.equal(result, shift_one(image, down, max(-size[1], min(size[1], right))))
    assert torch.equal(images, before)


def test_a_shift_goes_down_and_to_the_right():
    image = torch.zeros(1, 28, 28, dtype=torch.uint8)
    image[0, 10, 10] = 7
    assert shift_images(image, torch.tensor([[3, -2]])).nonzero().tolist() == [[0, 13, 8]]


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(1, 28, 28, generator=generator(2)) * 255


def test_a_warp_by_nothing_changes_nothing(images):
    torch.testing.assert_close(warp_images(images, changes()), images, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("down", "right"), [(3, 0), (0, 3), (-2, 5), (1, -14), (28, 0)])
def test_a_warp_by_whole_pixels_is_a_shift(images, down, right):
    warped = warp_images(images, changes(down=down, right=right))
    torch.testing.assert_close(warped, shift_images(images, torch.tensor([[down, right]])), rtol=0, atol=1e-2)


def test_a_warp_by_half_a_pixel_is_the_mean_of_two_neighbours(images):
    warped = warp_images(images, changes(right=0.5))
    torch.testing.assert_close(warped[:, :, 1:], (images[:, :, 1:] + images[:, :, :-1]) / 2, rtol=0, atol=1e-2)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_rotation_by_right_angles_turns_the_image(images, quarters):
    warped = warp_images(images, changes(angle=-quarters * math.pi / 2))
    torch.testing.assert_close(warped, torch.rot90(images, quarters, (1, 2)), rtol=0, atol=1e-2)


def test_the_shift_comes_after_the_rotation(images):
    warped = warp_images(images, changes(angle=-math.pi / 2, down=4, right=-3))
    turned = shift_images(torch.rot90(images, 1, (1, 2)), torch.tensor([[4, -3]]))
    torch.testing.assert_close(warped, turned, rtol=0, atol=1e-2)


def test_a_factor_above_one_makes_things_larger_about_the_centre():
    square = torch.zeros(1, 28, 28)
    square[0, 10:18, 10:18] = 1.0
    for factor, side in ((0.5, 4), (1.0, 8), (1.5, 12)):
        warped = warp_images(square, changes(factor=factor))[0]
        assert float(warped.sum()) == pytest.approx(side**2, rel=0.05)
        torch.testing.assert_close(warped, warped.flip(0), rtol=0, atol=1e-4)
        torch.testing.assert_close(warped, warped.flip(1), rtol=0, atol=1e-4)


def test_each_image_of_a_batch_gets_its_own_warp():
    images = torch.rand(40, 28, 28, generator=generator(3))
    drawn = draw_warps(40, degrees=25, scale=0.2, shift=3, generator=generator(4))
    together = warp_images(images, drawn)
    alone = torch.cat([warp_images(images[i : i + 1], drawn[i : i + 1]) for i in range(40)])
    torch.testing.assert_close(together, alone)


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
    assert torch.equal(drawn, changes().expand(5, 4))
