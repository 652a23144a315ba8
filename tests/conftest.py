"""What the tests of every package share: real MNIST where there is some, and a data set that is learnt in a second."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """A data root that holds the four gzipped files of MNIST; never written to."""
    root = os.environ.get("MNIST_TUI_DATA")
    if not root:
        pytest.skip("MNIST_TUI_DATA does not name a folder with MNIST")
    folder = Path(root).resolve()
    if not (folder / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"there is no gzipped MNIST in MNIST_TUI_DATA={root}")
    return folder


@pytest.fixture(scope="session")
def blobs():
    """320 training and 130 test images: a bright square, its place told by the class, on noise. Not to be changed."""
    import torch

    from core.data import Dataset

    generator = torch.Generator().manual_seed(1)

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(count) % 10
        images = torch.randint(0, 90, (count, 28, 28), generator=generator, dtype=torch.uint8)
        for image, label in zip(images, labels.tolist(), strict=True):
            top, left = 1 + 9 * (label // 4), 1 + 7 * (label % 4)
            image[top : top + 6, left : left + 5] += 110
        return images, labels

    train_images, train_labels = draw(320)
    test_images, test_labels = draw(130)
    return Dataset("blobs", train_images, train_labels, test_images, test_labels, mean=0.2, std=0.15)
