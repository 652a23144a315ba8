"""Elastic distortions, held against numpy's whole numbers and scipy's Gaussian and interpolation."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from core.augmentation.elastic import displacements, gaussian_matrix, noise
from core.augmentation.geometry import map_of, resample

SIZES = [8, 28, 33, 64]


def lowbias32(x: np.ndarray) -> np.ndarray:
    """The hash as it was published, for uint32."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


@pytest.mark.parametrize("size", SIZES)
def test_noise_is_the_published_hash_of_seed_and_place(size):
    seeds = torch.tensor([0, 1, 2, 12_345_678, 2**24 - 1], dtype=torch.int32)
    places = np.arange(size * size, dtype=np.uint32)
    for copies in (1, 3):  # however many there are at once
        drawn = noise(seeds.repeat(copies), size)
        for index, seed in enumerate(seeds.tolist() * copies):
            with np.errstate(over="ignore"):
                bits = lowbias32(np.uint32(seed) * np.uint32(0x9E3779B1) + places)
            for part, half in enumerate((bits & np.uint32(0xFFFF), bits >> np.uint32(16))):
                wanted = (half.astype(np.float64) + 0.5) / 32768 - 1
                np.testing.assert_array_equal(drawn[part, index].flatten().double().numpy(), wanted)


def test_noise_is_uniform_and_unrelated_between_fields_seeds_and_neighbours():
    drawn = noise(torch.arange(500, dtype=torch.int32), 28)
    assert float(drawn.abs().max()) < 1
    numbers = drawn.flatten().sort().values
    assert float((numbers - torch.linspace(-1, 1, len(numbers))).abs().max()) < 0.01
    for one, other in (
        (drawn[0], drawn[1]),
        (drawn[:, 1:], drawn[:, :-1]),
        (drawn[:, :, 1:], drawn[:, :, :-1]),
        (drawn[..., 1:], drawn[..., :-1]),
    ):
        together = torch.stack([one.flatten(), other.flatten()])
        assert abs(float(torch.corrcoef(together)[0, 1])) < 0.01


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0, 14.0])
def test_the_matrix_smooths_as_scipys_gaussian(sigma, size):
    columns = torch.rand(size, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wanted = ndimage.gaussian_filter1d(columns.numpy(), sigma, axis=0, mode="constant")
    np.testing.assert_allclose((gaussian_matrix(sigma, size) @ columns).numpy(), wanted, atol=1e-12)


def simard(image: np.ndarray, fields: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    """As everybody writes it with scipy: fields to the right and down, smoothed, times a strength, then bilinear."""
    right, down = (ndimage.gaussian_filter(field, sigma, mode="constant") * strength for field in fields)
    rows, columns = np.meshgrid(np.arange(len(image)), np.arange(len(image)), indexing="ij")
    return ndimage.map_coordinates(image, [rows + down, columns + right], order=1, mode="grid-constant")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("sigma", "strength"), [(4.0, 34.0), (1.5, 5.0), (8.0, 100.0), (4.0, 0.0)])
def test_distorted_images_are_those_of_scipy(size, sigma, strength):
    seeds = torch.tensor([3, 70_000, 2**24 - 1])
    images = torch.rand(3, size, size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    moves = displacements(seeds.double(), gaussian_matrix(sigma, size), strength)
    distorted = resample(images, None, moves)
    fields = noise(seeds.int(), size).double().numpy()
    for index in range(3):
        wanted = simard(images[index].numpy(), fields[:, index], sigma, strength)
        np.testing.assert_allclose(distorted[index].numpy(), wanted, atol=1e-9)
    assert torch.equal(distorted, images) == (strength == 0) or torch.allclose(distorted, images) == (strength == 0)


def test_distortion_comes_after_the_map():
    image = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    moves = displacements(torch.tensor([5]), gaussian_matrix(4.0, 28), 34.0)
    turned = torch.rot90(image, -1, (1, 2))
    quarter = map_of("rotate", torch.tensor([[torch.pi / 2]], dtype=torch.float64))
    wanted = resample(turned, None, moves)
    torch.testing.assert_close(resample(image, quarter, moves), wanted, rtol=0, atol=1e-9)


def test_the_usual_strength_moves_pixels_by_one_or_two():
    moves = displacements(torch.arange(200), gaussian_matrix(4.0, 28).float(), 34.0)
    assert 1.0 < float(moves[:, 8:20, 8:20].std()) < 2.0
