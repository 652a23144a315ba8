"""Lists of augmentations: each kind alone, in their order, for whole batches as for one image."""

import pytest
import torch

from core.augmentation.augmentation import Augmentation, groups_of
from core.augmentation.draws import columns_of, draw_changes
from core.augmentation.elastic import displacements, gaussian_matrix
from core.augmentation.geometry import map_of, one_map, resample, shift_images, warp_images
from core.augmentation.pixels import brighten_images, contrast_images, erase_images
from core.config import AUGMENTATIONS, TrainConfig, augmentations_of
from core.engines.graph.replayable import operations_of, replay_obstacle

CPU = torch.device("cpu")
LISTS = [
    *AUGMENTATIONS,
    "affine,erase",
    "erase,affine",
    "shear,elastic",
    "elastic,scale,brightness",
    "crop,contrast,shift",
    ",".join(AUGMENTATIONS),
    ",".join(reversed(AUGMENTATIONS)),
]


def drawn_for(augment: str, size: int = 28, count: int = 60, seed: int = 1):
    config = TrainConfig.checked({"augment": augment, "erase_chance": 0.8})
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, size, size), generator=generator).to(torch.uint8)
    return config, images, draw_changes(config, count, generator)


def make(config: TrainConfig, size: int = 28, dtype: torch.dtype = torch.float32) -> Augmentation:
    return Augmentation(config, size, CPU, dtype)


@pytest.mark.parametrize("size", [8, 28, 41])
@pytest.mark.parametrize("augment", LISTS)
def test_images_keep_their_size_and_their_range_and_are_changed(augment, size):
    config, images, changes = drawn_for(augment, size)
    before = images.clone()
    changed = make(config, size)(images, changes)
    assert changed.shape == images.shape
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 255.01
    assert (changed.float() - images.float()).abs().flatten(1).amax(1).gt(1).float().mean() > 0.5
    assert torch.equal(images, before)


@pytest.mark.parametrize("augment", LISTS)
def test_an_image_is_changed_alike_in_whatever_batch_it_is(augment):
    config, images, changes = drawn_for(augment)
    augmentation = make(config)
    together = augmentation(images, changes)
    for part in (slice(0, 1), slice(7, 20), slice(59, 60)):
        torch.testing.assert_close(augmentation(images[part], changes[part]), together[part], rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", ["shift", "crop", "erase"])
def test_what_needs_no_arithmetic_leaves_whole_numbers(kind):
    config, images, changes = drawn_for(kind)
    assert make(config)(images, changes).dtype == torch.uint8


def test_a_shift_and_a_warp_alone_are_what_they_were_to_the_bit():
    config, images, changes = drawn_for("shift")
    assert torch.equal(make(config)(images, changes), shift_images(images, changes))
    config, images, changes = drawn_for("affine")
    assert torch.equal(make(config)(images, changes), warp_images(images.float(), changes))


@pytest.mark.parametrize(
    ("augment", "groups"),
    [
        ("none", []),
        ("affine", [("affine",)]),
        ("rotate,shear,scale", [("rotate", "shear", "scale")]),
        ("shift,affine,elastic,erase", [("shift", "affine", "elastic"), ("erase",)]),
        ("elastic,affine", [("elastic",), ("affine",)]),
        ("rotate,erase,scale", [("rotate",), ("erase",), ("scale",)]),
        ("crop,shift,brightness,contrast", [("crop", "shift"), ("brightness",), ("contrast",)]),
    ],
)
def test_kinds_that_move_things_are_one_change_up_to_an_elastic_one(augment, groups):
    assert groups_of(augmentations_of(augment)) == groups


def test_a_list_is_its_parts_in_their_order():
    augment = "shear,rotate,elastic,contrast,scale,erase,brightness,crop"
    config, images, changes = drawn_for(augment)
    part = {kind: changes[:, columns].double() for kind, columns in columns_of(augmentations_of(augment)).items()}
    moves = displacements(part["elastic"].flatten(), gaussian_matrix(config.elastic_sigma, 28), config.elastic)
    turned = one_map(map_of("shear", part["shear"]), map_of("rotate", part["rotate"]))
    wanted = contrast_images(resample(images.double(), turned, moves), part["contrast"])
    wanted = erase_images(resample(wanted, map_of("scale", part["scale"]), None), part["erase"])
    wanted = shift_images(brighten_images(wanted, part["brightness"]), part["crop"])
    changed = make(config, dtype=torch.float64)(images, changes)
    torch.testing.assert_close(changed, wanted)
    torch.testing.assert_close(make(config)(images, changes).double(), wanted, rtol=0, atol=0.02)


def test_the_order_counts():
    config, images, changes = drawn_for("affine,erase")
    other = TrainConfig.checked(config.model_dump() | {"augment": "erase,affine"})
    swapped = torch.cat([changes[:, 4:], changes[:, :4]], 1)
    assert not torch.allclose(make(config)(images, changes), make(other)(images, swapped))


def test_a_crop_and_a_shift_add_up():
    config, images, changes = drawn_for("crop,shift")
    assert torch.equal(make(config)(images, changes), shift_images(images, changes[:, :2].long() + changes[:, 2:]))


@pytest.mark.parametrize("augment", LISTS)
def test_strengths_of_nothing_change_nothing(augment):
    none = dict.fromkeys(("shift", "rotation", "scale", "shear", "elastic", "erase", "brightness", "contrast"), 0.0)
    config = TrainConfig.checked({"augment": augment, "crop": 0, **none})
    _, images, _ = drawn_for(augment)
    changes = draw_changes(config, 60, torch.Generator().manual_seed(0))
    torch.testing.assert_close(make(config)(images, changes).float(), images.float(), rtol=0, atol=5e-3)


@pytest.mark.parametrize("augment", LISTS)
def test_a_change_can_be_recorded_and_replayed(augment):
    config, images, changes = drawn_for(augment)
    augmentation = make(config)
    first, second = (operations_of(lambda: augmentation(images, changes)) for _ in range(2))
    assert first
    assert replay_obstacle(first, second) == ""
