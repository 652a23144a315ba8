"""How many copies fit: reckoned from what a step of one of them really keeps."""

import pytest
import torch

from core.config import TrainConfig
from core.grouped.memory import SHARED_BYTES, bytes_per_copy, copies_that_fit, kept_bytes
from core.grouped.network import GroupedNetwork
from core.models.network import make_network

GIB = 1 << 30


@pytest.mark.parametrize(
    ("free", "copy", "fitting"),
    [
        (SHARED_BYTES + 100 * GIB, GIB, 90),
        (SHARED_BYTES + GIB, GIB, 1),
        (SHARED_BYTES + GIB, 100 << 20, 9),
        (0, GIB, 1),  # it has to be tried
    ],
)
def test_a_tenth_of_what_is_free_is_not_counted_on(free, copy, fitting):
    assert copies_that_fit(free, copy) == fitting


def test_what_a_forward_pass_keeps_grows_with_images_and_copies_and_leaves_weights_out():
    summary, model = make_network(TrainConfig(arch="c4l gap fc10"))
    one, two = GroupedNetwork(summary, [model]), GroupedNetwork(summary, [model, model])
    pixels, features, logits = 28 * 28, 26 * 26 * 4, 4
    assert kept_bytes(one, 8) == pytest.approx(4 * 8 * (pixels + logits), rel=0.01)
    assert kept_bytes(two, 8) == kept_bytes(one, 16)
    summary, model = make_network(TrainConfig(arch="c4 gap fc10"))
    # Input of the convolution, output of the ReLU, which the batch norm keeps too, and a few numbers a channel.
    assert kept_bytes(GroupedNetwork(summary, [model]), 8) == pytest.approx(4 * 8 * (pixels + features), rel=0.01)


def test_a_copy_takes_more_with_larger_batches_and_the_exercises_networks_take_megabytes(blobs):
    sizes = {size: bytes_per_copy(TrainConfig(arch="conv9", batch_size=size), blobs) for size in (128, 256)}
    assert sizes[256] == pytest.approx(2 * sizes[128], rel=0.05)
    assert 50 << 20 < sizes[256] < 1 << 30


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_group_takes_no_more_than_was_reckoned(blobs):
    from core.grouped.trainer import GroupTrainer

    configs = [TrainConfig(arch="conv9", seed=seed, epochs=1, batch_size=128, device="cuda") for seed in range(8)]
    networks = [make_network(config) for config in configs]
    reckoned = bytes_per_copy(configs[0], blobs)
    torch.cuda.empty_cache()
    before, _ = torch.cuda.mem_get_info()
    group = GroupTrainer(configs, blobs, networks[0][0], [model for _, model in networks], torch.device("cuda"))
    list(group.run(lambda _: ""))
    after, _ = torch.cuda.mem_get_info()
    assert before - after < SHARED_BYTES + 8 * reckoned
