"""Random draws of an epoch: the same for the same seed and epoch, independent of everything else."""

import pytest
import torch

from core.config import AUGMENTATIONS, TrainConfig
from core.training.sampling import draw_epoch, seed_dropout, split_validation

LISTS = (*AUGMENTATIONS, "affine,erase", "elastic,contrast,shift")


def test_each_epoch_visits_every_image_once():
    assert draw_epoch(TrainConfig(), 1000, 1).order.sort().values.tolist() == list(range(1000))


def test_the_order_is_the_same_whether_images_are_changed_or_not():
    orders = [draw_epoch(TrainConfig(augment=kind, seed=3), 500, 2).order for kind in ("none", *LISTS)]
    assert all(torch.equal(order, orders[0]) for order in orders)


@pytest.mark.parametrize("augment", LISTS)
def test_order_and_changes_differ_by_epoch_and_by_seed_and_come_again_for_the_same(augment):
    def draw(seed: int, epoch: int) -> tuple[bytes, bytes]:
        torch.rand(3)  # the global random state has no part in it
        drawn = draw_epoch(TrainConfig(augment=augment, seed=seed), 200, epoch)
        assert drawn.changes is not None
        assert len(drawn.changes) == 200
        return drawn.order.numpy().tobytes(), drawn.changes.numpy().tobytes()

    runs = [(seed, epoch) for seed in (0, 1, 11) for epoch in (1, 2, 11)]
    orders, changes = zip(*(draw(*run) for run in runs), strict=True)
    assert len(set(orders)) == len(set(changes)) == len(runs)
    assert [draw(*run) for run in runs] == list(zip(orders, changes, strict=True))


def test_drawing_an_epoch_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    draw_epoch(TrainConfig(augment="affine"), 100, 1)
    split_validation(100, 10)
    assert torch.equal(torch.get_rng_state(), before)


def test_changes_keep_to_the_configs_limits():
    shifts = draw_epoch(TrainConfig(augment="shift", shift=3.9), 500, 1).changes
    assert shifts is not None
    assert int(shifts.abs().max()) == 3
    warps = draw_epoch(TrainConfig(augment="affine", shift=0.0, rotation=0.0, scale=0.25), 500, 1).changes
    assert warps is not None
    assert float((warps[:, 1] - 1).abs().max()) == pytest.approx(0.25, abs=0.01)
    assert not warps[:, [0, 2, 3]].any()


def test_dropout_is_fixed_by_seed_and_epoch_alone():
    def draw(seed: int, epoch: int) -> bytes:
        torch.rand(seed + epoch)
        seed_dropout(TrainConfig(seed=seed), epoch)
        return torch.rand(8).numpy().tobytes()

    runs = [(seed, epoch) for seed in (0, 1, 11) for epoch in (1, 2, 11)]
    assert len({draw(*run) for run in runs}) == len(runs)
    assert draw(1, 2) == draw(1, 2)


def test_held_out_images_are_the_rest_in_ascending_order_and_drawn_from_all_over():
    kept, held_out = split_validation(1000, 100)
    assert sorted(kept.tolist() + held_out.tolist()) == list(range(1000))
    assert len(held_out) == 100
    for part in (kept, held_out):
        assert part.tolist() == sorted(part.tolist())
    assert int(held_out.min()) < 100 < 900 < int(held_out.max())


def test_the_held_out_images_are_always_the_same_ones():
    torch.manual_seed(1)
    first = split_validation(60_000, 5000)
    torch.manual_seed(2)
    assert torch.equal(split_validation(60_000, 5000)[1], first[1])
    larger = split_validation(60_000, 6000)[1]
    assert set(first[1].tolist()) < set(larger.tolist())
