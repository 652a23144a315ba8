"""Data of one's own as IDX files in a folder: images and labels to train on, and where there are some, to test on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.data import idx
from core.data.own.greys import SCALED_NOTE, Greys
from core.data.own.parts import (
    Labels,
    Outline,
    Part,
    Parts,
    check_count,
    check_size,
    distinct,
    entries,
    left_out,
    refusal,
)
from core.data.stored import MAKE_ANEW, unpacked
from core.errors import DataError

_IMAGES = ("images", "imgs", "x")
"""Of the kinds in names those of images; the others are of labels."""
_KIND = "images|imgs|labels|lbls|targets"
_ENDING = r"([-_.]?idx\d?([-_.]?ubyte|[-_.]?int)?|[-_.]ubyte)"
_NAME = re.compile(rf"(?P<part>train|t10k|test)\w*?[-_. ]?(?P<kind>{_KIND})\w*{_ENDING}?(\.gz)?$", re.IGNORECASE)
_KIND_FIRST = re.compile(
    rf"(^|[-_. ])(?P<kind>{_KIND}|x|y)[-_. ]?(?P<part>train|t10k|test)\w*?{_ENDING}(\.gz)?$", re.IGNORECASE
)
_ONE_LETTER = re.compile(rf"(?P<part>train|t10k|test)[-_. ](?P<kind>x|y){_ENDING}(\.gz)?$", re.IGNORECASE)
_VALIDATION = re.compile(rf"(^|[-_. ])val\w*[-_. ]({_KIND})\w*{_ENDING}?(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class IdxFolder:
    """A folder of IDX files: `train` are those of images and labels, `test` too, where there are any."""

    train: tuple[Path, Path]
    test: tuple[Path, Path] | None
    note: str = ""

    @classmethod
    def find(cls, folder: Path, inner: list[Path], names: list[Path]) -> IdxFolder | None:
        """The pairs among the files `names` of a folder, or, where these are none, in those of its folders `inner` that
        are called like such files, as unpacked archives are; None where there are no images to train on.

        Raises:
            DataError: when a file has no counterpart, or there are two of one kind.
        """
        if (there := cls._among(folder, names)) is not None:
            return there
        called = [path for path in inner if any(one.search(path.name) for one in (_NAME, _KIND_FIRST, _ONE_LETTER))]
        within = [file for path in called for file in entries(path)[1]]
        return cls._among(folder, names + within) if within else None

    @classmethod
    def _among(cls, folder: Path, names: list[Path]) -> IdxFolder | None:
        for patterns in ((_NAME,), (_NAME, _KIND_FIRST, _ONE_LETTER)):
            found = _by_part(folder, names, patterns)
            if ("train", "images") in found:
                break
        else:
            return None
        for part in ("train", "test"):
            pair = [(part, kind) in found for kind in ("images", "labels")]
            if any(pair) and not all(pair):
                kind = "labels" if pair[0] else "images"
                raise DataError(f"{folder}: no file of {part} {kind}", hint=f"for example {part}-{kind}-idx-ubyte")
        test = (found["test", "images"], found["test", "labels"]) if ("test", "images") in found else None
        others = [path.name for path in names if path not in found.values() and _VALIDATION.search(path.name)]
        note = left_out("file", others)
        return cls((found["train", "images"], found["train", "labels"]), test, note)

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


def _by_part(folder: Path, names: list[Path], patterns: tuple[re.Pattern[str], ...]) -> dict[tuple[str, str], Path]:
    """The files whose names fit, by ``("train", "images")`` and so on.

    Raises:
        DataError: when there are two of one kind.
    """
    found: dict[tuple[str, str], Path] = {}
    for path in names:
        match = next(filter(None, (pattern.search(path.name) for pattern in patterns)), None)
        if match is None:
            continue
        key = (
            "train" if match["part"].lower() == "train" else "test",
            "images" if match["kind"].lower() in _IMAGES else "labels",
        )
        if key in found and _plain(found[key]) != _plain(path):
            first, second = sorted((found[key].name, path.name))
            raise DataError(
                f"{folder}: two files of {key[0]} {key[1]}, {first} and {second}",
                hint="put each data set into a folder of its own",
            )
        if key not in found or path.suffix != ".gz":
            found[key] = path
    return found


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
