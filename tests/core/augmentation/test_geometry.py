"""Shifts and warps of a whole batch, held against one image at a time and against what geometry says."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional as F

from core.augmentation.draws import draw_warps
from core.augmentation.geometry import map_of, one_map, resample, shift_images, warp_images


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


PARTS = {
    "shift": [[3.0, -2.0]],
    "crop": [[-1.0, 4.0]],
    "rotate": [[0.4]],
    "scale": [[1.3]],
    "shear": [[-0.5]],
    "affine": [[0.3, 0.8, 1.5, -2.5]],
}


def by_scipy(image: torch.Tensor, matrix: np.ndarray, down: float, right: float) -> np.ndarray:
    """The image after (row, column) -> matrix (row, column) + (down, right) about its centre."""
    inverse = np.linalg.inv(matrix)
    centre = (np.array(image.shape) - 1) / 2
    offset = centre - inverse @ (centre + np.array([down, right]))
    return ndimage.affine_transform(image.double().numpy(), inverse, offset, order=1, mode="grid-constant")


def forward(kind: str, numbers: list[float]) -> tuple[np.ndarray, float, float]:
    """Where a kind takes (row, column), as a matrix and a shift: written down from what it means."""
    match kind, numbers:
        case (("shift" | "crop"), [down, right]):
            return np.eye(2), down, right
        case "rotate", [angle]:
            return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]), 0, 0
        case "scale", [factor]:
            return factor * np.eye(2), 0, 0
        case "shear", [angle]:
            return np.array([[1, 0], [math.tan(angle), 1]]), 0, 0
        case "affine", [angle, factor, down, right]:
            return factor * forward("rotate", [angle])[0], down, right
    raise ValueError(kind)


@pytest.mark.parametrize("size", [28, 9, 64])
@pytest.mark.parametrize("kind", PARTS)
def test_each_map_is_what_scipy_makes_of_it(kind, size):
    image = torch.rand(1, size, size, generator=generator(5), dtype=torch.float64)
    changed = resample(image, map_of(kind, torch.tensor(PARTS[kind], dtype=torch.float64)), None)
    expected = by_scipy(image[0], *forward(kind, PARTS[kind][0]))
    np.testing.assert_allclose(changed[0].numpy(), expected, atol=1e-9)


def test_maps_one_after_the_other_are_one_map():
    image = torch.rand(1, 28, 28, generator=generator(5), dtype=torch.float64)
    maps, matrix, place = None, np.eye(2), np.zeros(2)
    for kind, numbers in PARTS.items():
        own = map_of(kind, torch.tensor(numbers, dtype=torch.float64))
        maps = own if maps is None else one_map(maps, own)
        part, down, right = forward(kind, numbers[0])
        matrix, place = part @ matrix, part @ place + np.array([down, right])
    expected = by_scipy(image[0], matrix, *place)
    assert expected.any()
    np.testing.assert_allclose(resample(image, maps, None)[0].numpy(), expected, atol=1e-9)


def test_a_map_of_warps_is_the_warp():
    images = torch.rand(40, 28, 28, generator=generator(3))
    drawn = draw_warps(40, degrees=25, scale=0.2, shift=3, generator=generator(4))
    torch.testing.assert_close(resample(images, map_of("affine", drawn), None), warp_images(images, drawn))


def test_what_moves_no_place_has_no_map():
    with pytest.raises(ValueError, match="erase"):
        map_of("erase", torch.zeros(1, 4))
