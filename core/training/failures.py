"""What a run can fail by, told from defects of the program, and what is found before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

import torch
from torch import autograd

from core.advice import Action, Tip
from core.config import TrainConfig
from core.data.loader import Dataset
from core.device.device import describe_device
from core.errors import InvalidValue, TrainingFailed, one_line
from core.models.summary import Summary

HOW_TO_SEE_MORE = "make a batch of its own in a script, and call the module in training mode"
"""Advice on a module that fails in training."""


def check_last_batch(config: TrainConfig, images: int, summary: Summary) -> None:
    """Raise `InvalidValue` when a batch norm of the network would have one value a channel in the last batch."""
    tail = images % config.batch_size or config.batch_size
    for layer in summary.rows:
        if layer.kind in ("BatchNorm1d", "BatchNorm2d") and tail == 1 and layer.output_shape[1:] == (1, 1):
            where = " on a 1x1 map" if layer.kind == "BatchNorm2d" else ""
            if images == 1:
                raise one_image(config, f"over which {layer.label}{where} has no deviation")
            raise InvalidValue(
                "batch_size",
                config.batch_size,
                f"leaves a last batch of one image, over which {layer.label}{where} has no deviation",
                hint="choose another batch size, or write the block without batch norm (n)",
            )


def one_image(config: TrainConfig, problem: str) -> InvalidValue:
    """The error of a run that has a single image to train on, which no size of batches helps."""
    text = f"leaves one image to train on, {problem}"
    if config.limit_train == 1 + config.val_split:
        hint = Tip(Action.SET, "limit_train", str(2 + config.val_split))
        return InvalidValue("limit_train", config.limit_train, text, hint=hint)
    if config.val_split:
        return InvalidValue("val_split", config.val_split, text, hint="hold out fewer images")
    text = f"has one image to train on, {problem}"
    return InvalidValue("dataset", config.dataset, text, hint="take data that have two images to train on at least")


def check_split(config: TrainConfig, dataset: Dataset) -> None:
    """Raise `InvalidValue` when more images are to be held out than there are."""
    count = len(dataset.train_labels)
    if config.val_split >= count:
        raise InvalidValue(
            "val_split", config.val_split, f"must be below the {count:,} training images", hint="hold out fewer images"
        )


@contextmanager
def preparing(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """A context that raises `TrainingFailed` when the device has no memory for what is made within it."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise no_room(config, device) from error


def no_room(config: TrainConfig, device: torch.device) -> TrainingFailed:
    """The failure of a run for whose batches a device has no memory."""
    text = f"out of memory on {describe_device(device)}"
    return TrainingFailed(one_line(text, 300), hint=Tip(Action.SHRINK, "batch_size", str(config.batch_size)))


def is_of_backward(error: BaseException) -> bool:
    """Whether an error comes from the backward pass of a step."""
    return any(frame.f_code.co_filename == autograd.__file__ for frame, _ in walk_tb(error.__traceback__))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch means that a device has no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "DefaultCPUAllocator" in str(error) or "out of memory" in str(error)
