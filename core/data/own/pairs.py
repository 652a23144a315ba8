"""Data of one's own as IDX files in a folder: images and labels to train on, and where there are some, to test on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.data import idx
from core.data.own.greys import SCALED_NOTE, Greys
from core.data.own.parts import Labels, Outline, Part, Parts, check_count, check_size, distinct, refusal
from core.data.stored import MAKE_ANEW, unpacked
from core.errors import DataError

_NAME = re.compile(
    r"(?P<part>train|t10k|test)\w*?[-_. ]?(?P<kind>images|imgs|labels|lbls|targets)\w*"
    r"([-_.]?idx\d?([-_.]?ubyte|[-_.]?int)?|[-_.]ubyte)?(\.gz)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class IdxFolder:
    """A folder of IDX files: `train` are those of images and labels, `test` too, where there are any."""

    train: tuple[Path, Path]
    test: tuple[Path, Path] | None

    @classmethod
    def find(cls, names: list[Path]) -> IdxFolder | None:
        """The pairs among the files of a folder; None where there are no images to train on.

        Raises:
            DataError: when a file has no counterpart, or there are two of one kind.
        """
        found: dict[tuple[str, str], Path] = {}
        for path in names:
            match = _NAME.search(path.name)
            if match is None:
                continue
            key = (
                "train" if match["part"].lower() == "train" else "test",
                "images" if match["kind"].lower() in ("images", "imgs") else "labels",
            )
            if key in found and _plain(found[key]) != _plain(path):
                first, second = sorted((found[key].name, path.name))
                raise DataError(
                    f"{path.parent}: two files of {key[0]} {key[1]}, {first} and {second}",
                    hint="put each data set into a folder of its own",
                )
            if key not in found or path.suffix != ".gz":
                found[key] = path
        if ("train", "images") not in found:
            return None
        for part in ("train", "test"):
            pair = [(part, kind) in found for kind in ("images", "labels")]
            if any(pair) and not all(pair):
                kind = "labels" if pair[0] else "images"
                folder = found["train", "images"].parent
                raise DataError(f"{folder}: no file of {part} {kind}", hint=f"for example {part}-{kind}-idx-ubyte")
        test = (found["test", "images"], found["test", "labels"]) if ("test", "images") in found else None
        return cls((found["train", "images"], found["train", "labels"]), test)

    @property
    def files(self) -> tuple[Path, ...]:
        return (*self.train, *(self.test or ()))

    def outline(self) -> Outline:
        images, labels = self.train
        with unpacked(images, MAKE_ANEW) as file:
            count, size = _checked(images, idx.read_header(images, file, MAKE_ANEW)[0])
        return Outline(size, distinct(_labels(labels, count, images)))

    def read(self) -> Parts:
        train, scaled = _read(*self.train)
        test = _read(*self.test, scaled=scaled)[0] if self.test else None
        return Parts(train, test, SCALED_NOTE if scaled else "")


def _read(images: Path, labels: Path, *, scaled: bool | None = None) -> tuple[Part, bool]:
    with unpacked(images, MAKE_ANEW) as file:
        shape, kind = idx.read_header(images, file, MAKE_ANEW)
        count, size = _checked(images, shape)
        if kind.itemsize != 1:
            raise refusal(images, "its pixels are not bytes")
        pixels = idx.read_data(images, file, shape, kind, MAKE_ANEW).reshape(count, size, size)
    greys = Greys(images, lambda index: f"image {index}", scaled=scaled)
    greys.add(pixels)
    pixels, scaled = greys.joined()
    part = Part(images, pixels, _labels(labels, count, images), lambda index: f"label {index} in {labels.name}")
    return part, scaled


def _checked(path: Path, shape: tuple[int, ...]) -> tuple[int, int]:
    """The number and the size of images of this shape."""
    if len(shape) != 3:
        raise refusal(path, f"it has {len(shape)} dimensions, not the 3 of images")
    size = check_size(path, shape[1:])
    check_count(path, shape[0], size)
    return shape[0], size


def _labels(path: Path, count: int, images: Path) -> Labels:
    with unpacked(path, MAKE_ANEW) as file:
        shape, kind = idx.read_header(path, file, MAKE_ANEW)
        if len(shape) != 1 or shape[0] != count:
            raise DataError(
                f"{path}: labels of the shape {shape} for the {count:,} images of {images.name}",
                hint="there must be one label for each image",
            )
        return idx.read_data(path, file, shape, kind, MAKE_ANEW)


def _plain(path: Path) -> str:
    """The name of a file however it is packed and joined."""
    return path.name.removesuffix(".gz").replace(".idx", "-idx").lower()
