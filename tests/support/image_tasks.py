"""Data sets of other sizes and classes than MNIST's, each with a network that fits it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from core.data.loader import Dataset
from core.task import ImageTask

TASKS: dict[str, tuple[ImageTask, str]] = {
    "8 pixels, 2 classes": (ImageTask(8, 2), "c6 p2 c8 fc2"),
    "16 pixels, 3 classes": (ImageTask(16, 3), "c6p1 p2 c8p1b0r a2 c3l gap"),
    "28 pixels, 26 classes": (ImageTask(28, 26), "c4k5s3 p2 c8 gap fc26"),
    "64 pixels, 62 classes": (ImageTask(64, 62), "c4k5s3 a2 s12 p2 c16 gap fc62"),
}


def make_dataset(task: ImageTask, train: int = 160, test: int = 62, name: str = "patterns") -> Dataset:
    """Noise with a bar whose place is told by the class; each class is there in both parts where there is room."""
    generator = torch.Generator().manual_seed(task.size)

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(count) % task.classes
        images = torch.randint(0, 60, (count, task.size, task.size), generator=generator, dtype=torch.uint8)
        for image, label in zip(images, labels.tolist(), strict=True):
            image[label * task.size // task.classes, :] += 150
            image[:, label * task.size // task.classes] += 40
        return images, labels

    train_images, train_labels = draw(train)
    test_images, test_labels = draw(test)
    names = tuple(f"kind {number}" for number in range(task.classes))
    return Dataset(name, train_images, train_labels, test_images, test_labels, 0.2, 0.2, classes=names)


def save_npz(path: Path, data: Dataset) -> Path:
    """The data set as Keras' arrays in a file, its labels numbers."""
    parts = {"x_train": data.train_images, "y_train": data.train_labels}
    parts |= {"x_test": data.test_images, "y_test": data.test_labels}
    np.savez(path, **{name: tensor.numpy().astype(np.uint8) for name, tensor in parts.items()})
    return path
