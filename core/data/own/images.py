"""Data of one's own as a folder of images by class: ``train/cat/0.png`` and ``test/cat/1.png``, or ``cat/0.png``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from core.data.own.greys import SCALED_NOTE, Greys
from core.data.own.parts import (
    MAX_IMAGES,
    Outline,
    Part,
    Parts,
    Pixels8,
    check_count,
    check_size,
    entries,
    left_out,
    refusal,
)
from core.data.stored import MAKE_ANEW
from core.data.suffixes import SUFFIXES
from core.errors import DataError, one_line, shown
from core.storage.files import open_regular

if TYPE_CHECKING:
    from PIL.Image import Image

_PARTS = {"train": ("train", "training"), "test": ("test", "testing")}
_MAX_FILE = 4 << 20
_VALIDATION = ("val", "valid", "validation")
BY_CLASS = "put the images of each class into a folder of its own, with the name of the class"


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Images by class: `train` and `test` map each class to its images, in the order of their names."""

    train: dict[str, list[Path]]
    test: dict[str, list[Path]] | None
    folder: Path
    note: str = ""

    @classmethod
    def find(cls, folder: Path, inner: list[Path]) -> ImageFolder | None:
        """The images in the folders within a folder; None where they have none.

        Raises:
            DataError: when only some of these folders have images, or a single one is there.
        """
        folders = {path.name.lower(): path for path in inner}
        train, test = (next((folders[name] for name in _PARTS[part] if name in folders), None) for part in _PARTS)
        if train is not None:
            note = _note([path for path in inner if path not in (train, test)], there_is_a_test=test is not None)
            return cls(_several(train, _classes(train)), _classes(test) if test else None, folder, note)
        named = {path.name: _images(path) for path in inner}
        if not any(named.values()):
            return None
        return cls(_several(folder, _filled(folder, named)), None, folder)

    @property
    def files(self) -> tuple[Path, ...]:
        parts = [self.train, *([self.test] if self.test else [])]
        return tuple(path for part in parts for paths in part.values() for path in paths)

    def outline(self) -> Outline:
        first = next(iter(self.train.values()))[0]
        return Outline(_read_image(first).shape[0], frozenset(self.train))

    def read(self) -> Parts:
        train, scaled = self._part(self.train)
        test = self._part(self.test, scaled=scaled)[0] if self.test else None
        return Parts(train, test, SCALED_NOTE if scaled else "")

    def _part(self, classes: dict[str, list[Path]], *, scaled: bool | None = None) -> tuple[Part, bool]:
        """The images of a part, its classes taking turns, so that the first N are of all of them."""
        turns = sorted(
            (turn, at, path, name)
            for at, (name, paths) in enumerate(classes.items())
            for turn, path in enumerate(paths)
        )
        files = [path for _, _, path, _ in turns]
        first = _read_image(files[0])
        check_count(self.folder, len(files), first.shape[0])
        images = np.empty((len(files), *first.shape), dtype=np.uint8)
        for index, path in enumerate(files):
            image = _read_image(path)
            if image.shape != first.shape:
                sizes = [" x ".join(map(str, one.shape)) for one in (image, first)]
                raise refusal(path, f"{sizes[0]} pixels, but {files[0].name} has {sizes[1]}: all must be of one size")
            images[index] = image

        def place(index: int) -> str:
            return str(files[index].relative_to(self.folder))

        greys = Greys(self.folder, place, scaled=scaled)
        greys.add(images)
        images, scaled = greys.joined()
        return Part(self.folder, images, np.array([name for *_, name in turns]), place), scaled


def _note(others: list[Path], *, there_is_a_test: bool) -> str:
    """What is said of folders that are neither to train nor to test on."""
    note = left_out("folder", [path.name for path in others])
    validation = next((path.name for path in others if path.name.lower() in _VALIDATION), None)
    if validation is None or there_is_a_test:
        return note
    return f"{note} (to test on {shown(validation)}, call it test)"


def _several(folder: Path, classes: dict[str, list[Path]]) -> dict[str, list[Path]]:
    if len(classes) == 1:
        raise refusal(folder, f"1 class: all images are in the folder {shown(next(iter(classes)))}", BY_CLASS)
    return classes


def _classes(folder: Path) -> dict[str, list[Path]]:
    return _filled(folder, {path.name: _images(path) for path in entries(folder)[0]})


def _filled(folder: Path, classes: dict[str, list[Path]]) -> dict[str, list[Path]]:
    empty = next((name for name, paths in classes.items() if not paths), None)
    if not classes or empty is not None:
        if empty is None:
            raise refusal(folder, "no folders of images", BY_CLASS)
        raise refusal(folder / empty, "no images in it", "each folder is a class: put images into it, or move it away")
    if sum(map(len, classes.values())) > MAX_IMAGES:
        raise refusal(folder, f"more than {MAX_IMAGES:,} images")
    return classes


def _images(folder: Path) -> list[Path]:
    return [path for path in entries(folder)[1] if path.suffix.lower() in SUFFIXES]


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Image]:
    import PIL.Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about what it repairs in damaged files
        with PIL.Image.open(file) as image:
            yield image


def _read_image(path: Path) -> Pixels8:
    """A square grey image (S, S), turned as it was taken; one whose colours are all grey counts as such.

    Raises:
        DataError: naming the file, when it is no such image.
    """
    from PIL.ImageOps import exif_transpose

    try:
        with open_regular(path, follow_link=True) as file, _opened(file) as image:
            check_size(path, (image.height, image.width))
            if getattr(image, "n_frames", 1) > 1:
                raise refusal(path, f"{image.n_frames} images in one file")  # type: ignore[attr-defined]
            if image.mode not in ("L", "1", "P", "RGB", "RGBA", "LA", "PA"):
                raise refusal(path, f"pixels of the kind {image.mode}, not 8 bits of grey")
            upright = exif_transpose(image)
            if image.mode in ("L", "1"):
                return np.array(upright.convert("L"), dtype=np.uint8)
            values = np.array(upright.convert("RGBA"), dtype=np.uint8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {one_line(error)}", hint=MAKE_ANEW) from error
    except DataError:
        raise
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise DataError(f"{path}: corrupt: {one_line(error)}", hint=MAKE_ANEW) from error
    if (values[..., 3] != 255).any():
        raise refusal(path, "it is partly transparent")
    if (values[..., :1] != values[..., :3]).any():
        raise refusal(path, "it is in colour")
    return np.ascontiguousarray(values[..., 0])
