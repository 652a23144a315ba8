"""Small data sets of one's own, written in every form in which people have them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.data.loader import Dataset, Loader

Images = npt.NDArray[np.uint8]


def draw(count: int, size: int = 12, classes: int = 3, seed: int = 0) -> tuple[Images, npt.NDArray[np.int64]]:
    """Noise with a bright square whose place tells the class; the classes take turns."""
    noise = np.random.RandomState(seed)
    labels = np.arange(count) % classes
    images = noise.randint(0, 90, (count, size, size), dtype=np.uint8)
    side = max(2, size // 4)
    for image, label in zip(images, labels, strict=True):
        top, left = (label * side) // size * side, (label * side) % size
        image[top : top + side, left : left + side] += 150
    images[:, -1, -1] = 0  # a corner that is always background, as in most sets of drawings
    return images, labels


def idx_bytes(array: npt.NDArray[np.generic]) -> bytes:
    kind = 0x08 if array.dtype == np.uint8 else 0x0C
    header = bytes([0, 0, kind, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    return header + (array if kind == 0x08 else array.astype(">i4")).tobytes()


def write_idx(path: Path, array: npt.NDArray[np.generic]) -> Path:
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_pairs(folder: Path, names: Sequence[str], *arrays: npt.NDArray[np.generic]) -> Path:
    """IDX files of images and labels in turn, labels as bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, arrays, strict=True):
        write_idx(folder / name, array.astype(np.uint8))
    return folder


def write_csv(
    path: Path,
    images: Images,
    labels: Sequence[object] | npt.NDArray[np.generic] | None,
    *,
    header: bool = True,
    last: bool = False,
    end: str = "\n",
) -> Path:
    pixels = images.reshape(len(images), -1)
    names = [f"pixel{at}" for at in range(pixels.shape[1])]
    rows = [[str(value) for value in row] for row in pixels.tolist()]
    if labels is not None:
        names = [*names, "label"] if last else ["label", *names]
        pairs = zip(rows, labels, strict=True)
        rows = [[*row, str(label)] if last else [str(label), *row] for row, label in pairs]
    lines = ([names] if header else []) + rows
    text = "".join(",".join(line) + end for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def write_images(folder: Path, images: Images, labels: Sequence[object], *, suffix: str = ".png") -> Path:
    from PIL import Image

    counts: dict[object, int] = {}
    for image, label in zip(images, labels, strict=True):
        place = folder / str(label)
        place.mkdir(parents=True, exist_ok=True)
        counts[label] = counts.get(label, 0) + 1
        Image.fromarray(image).save(place / f"{counts[label]:04}{suffix}")
    return folder


def write_npz(path: Path, **arrays: npt.ArrayLike) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def contents(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def load(path: Path | str, folder: Path) -> Dataset:
    """Own data, or a known set, with a root and a cache in a folder."""
    return Loader(folder / "root", folder / "cache").load(str(path))
