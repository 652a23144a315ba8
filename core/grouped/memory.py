"""An estimate of how many copies of a network fit into a device's memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from core.augmentation.draws import numbers_of
from core.config import TrainConfig, augmentations_of
from core.data.loader import Dataset
from core.grouped.network import GroupedNetwork, grouped_network
from core.models.network import make_network
from core.models.spec import is_user_module
from core.models.translate.translation import translate
from core.training.evaluate import Pixels

PROBE = 16
"""Images in the forward pass that is measured."""
BACKWARD = 2.0
"""Memory of a step in units of what its forward pass keeps: the gradients of the backward pass take at most as much."""
RECORDINGS = 3
"""Times that a step's memory is held: by the one taken to warm up, and by the graphs of a whole and of a last batch."""
WEIGHTS = 10
"""Tensors of the size of the weights: they, gradients, an optimizer's two means, the moving average, and as many again
for updates on the way."""
SHARED_BYTES = 2 << 30
"""Set aside for the device's context, its libraries, the data set, and what others take meanwhile."""
USABLE = 0.9
"""Share of the rest that is counted on, for memory comes in blocks."""


def copies_that_fit(free_bytes: int, copy_bytes: int) -> int:
    """The number of copies of this size that fit into the free memory; at least 1, which may still be too many."""
    return max(1, int((free_bytes - SHARED_BYTES) * USABLE) // copy_bytes)


def bytes_per_copy(config: TrainConfig, dataset: Dataset) -> int:
    """Memory of one more copy on the device, in training with graphs; about twice what was measured, to be safe."""
    summary, model = make_network(config, dataset.task)
    translated = translate(model, dataset.task) if is_user_module(config.arch) else None
    network = grouped_network(summary, [model], translated)
    activations = BACKWARD * RECORDINGS * kept_bytes(network, PROBE, dataset.task.size) / PROBE * config.batch_size
    weights = WEIGHTS * sum(4 * parameter.numel() for parameter in network.parameters())
    images = len(dataset.train_labels)
    draws = images * (8 + 4 * numbers_of(augmentations_of(config.augment)))  # the order, and what changes the images
    return int(activations + weights + draws) + len(dataset.test_labels)


def kept_bytes(network: GroupedNetwork, batch: int, size: int = 28) -> int:
    """Memory that a forward pass in training keeps for the backward pass, with so many images of `size` x `size` pixels
    for each copy.

    Tensors that share memory count once; weights do not count.
    """
    kept: dict[int, int] = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    images = torch.zeros(batch * network.copies, size, size, dtype=torch.uint8)
    network.train()
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = network(Pixels(0.0, 1.0)(images))
    assert logits.requires_grad
    return sum(kept.values())
