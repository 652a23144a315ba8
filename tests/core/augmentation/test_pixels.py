"""Erasing, brightness and contrast of a whole batch, held against loops over its images."""

import math

import numpy as np
import pytest
import torch

from core.augmentation.draws import draw_around, draw_boxes
from core.augmentation.pixels import brighten_images, contrast_images, erase_images


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def erase_one(image: np.ndarray, height: float, width: float, down: float, right: float) -> np.ndarray:
    """With Python's own numbers, and a slice."""
    image = image.copy()
    if height > 0:
        rows = min(max(round(height * image.shape[0]), 1), image.shape[0])
        columns = min(max(round(width * image.shape[1]), 1), image.shape[1])
        top = math.floor(down * (image.shape[0] - rows + 1))
        left = math.floor(right * (image.shape[1] - columns + 1))
        image[top : top + rows, left : left + columns] = 0
    return image


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize(("size", "largest"), [(28, 0.1), (28, 0.9), (8, 0.02), (64, 0.3)])
def test_erased_rectangles_equal_a_loop_over_the_images(dtype, size, largest):
    images = torch.randint(1, 256, (300, size, size), generator=generator()).to(dtype)
    before = images.clone()
    boxes = draw_boxes(300, largest=largest, chance=0.7, generator=generator(1))
    erased = erase_images(images, boxes.double())
    assert erased.dtype == dtype
    for image, result, box in zip(images, erased, boxes.double().tolist(), strict=True):
        np.testing.assert_array_equal(result.numpy(), erase_one(image.numpy(), *box))
    assert torch.equal(images, before)
    untouched = boxes[:, 0] == 0
    assert torch.equal(erased[untouched], images[untouched])
    assert not (erased[~untouched] != 0).flatten(1).all(1).any()
    share = float((erased[~untouched] == 0).float().mean())
    assert share == pytest.approx((min(0.02, largest) + largest) / 2, rel=0.35)


def test_rectangles_are_everywhere():
    boxes = draw_boxes(5000, largest=0.1, chance=1.0, generator=generator())
    covered = (erase_images(torch.ones(5000, 28, 28), boxes) == 0).float().mean(0)
    assert float(covered.min()) > 0  # in the corners as well
    torch.testing.assert_close(covered, covered.flip(0), rtol=0, atol=0.03)
    torch.testing.assert_close(covered, covered.t(), rtol=0, atol=0.03)


@pytest.mark.parametrize("most", [0.0, 0.3, 1.0])
def test_brightness_and_contrast_equal_a_loop_over_the_images(most):
    images = torch.randint(0, 256, (100, 12, 12), generator=generator()).float()
    before = images.clone()
    factors = draw_around(1.0, most, 100, generator(2))
    brighter, contrasted = brighten_images(images, factors), contrast_images(images, factors)
    for place, factor in enumerate(factors[:, 0].double().tolist()):
        image = images[place].double().numpy()
        mean = sum(image.flatten().tolist()) / image.size
        np.testing.assert_allclose(brighter[place], np.minimum(np.maximum(image * factor, 0), 255), atol=1e-3)
        wanted = np.minimum(np.maximum(mean + factor * (image - mean), 0), 255)
        np.testing.assert_allclose(contrasted[place], wanted, atol=1e-3)
    assert torch.equal(images, before)
    if not most:
        torch.testing.assert_close(contrasted, images)


def test_no_contrast_leaves_the_mean_and_no_brightness_nothing():
    image = torch.rand(1, 5, 5, generator=generator()) * 255
    none = torch.zeros(1, 1)
    torch.testing.assert_close(contrast_images(image, none), image.mean().expand(1, 5, 5))
    assert not brighten_images(image, none).any()
