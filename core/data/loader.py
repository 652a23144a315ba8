"""Data sets as uint8 tensors, whole in memory: square grey images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import torch

from core.advice import Action, Advice, Tip
from core.data import idx
from core.data.download import Progress, download
from core.data.sources import BUNDLED, FILES, REPLACE_IT, SOURCES, check_md5, md5_of, published_class, published_md5
from core.errors import DataError, ShouldStop
from core.storage.tensors import read_cache, write_cache
from core.task import ImageTask

DIGITS = tuple("0123456789")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images are uint8 of shape (N, S, S), labels int64 of shape (N,), each an index of `classes`.

    `mean` and `std` are those of the training pixels, scaled to 0..1. `note` says what a user should know about how the
    data set was chosen. `classes` are the names of the classes.
    """

    name: str
    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    mean: float
    std: float
    note: str = ""
    classes: tuple[str, ...] = DIGITS

    @property
    def task(self) -> ImageTask:
        return ImageTask(self.train_images.shape[-1], len(self.classes))

    def limited(self, train: int | None, test: int | None) -> Dataset:
        """The first so many training and test images; None for all."""
        return replace(
            self,
            train_images=self.train_images[:train],
            train_labels=self.train_labels[:train],
            test_images=self.test_images[:test],
            test_labels=self.test_labels[:test],
        )


_FIELDS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads data sets, downloading them where they are missing.

    `root` has torchvision's layout and is written to by downloads alone; decoded tensors are kept in `cache`.
    """

    root: Path
    cache: Path
    should_stop: ShouldStop = lambda: ""
    progress: Progress = lambda *_: None

    def load(self, name: str) -> Dataset:
        """A data set by name, downloaded when it is missing; ``auto`` is full MNIST, else the bundled digits.

        Raises:
            DataError: missing and unreachable, or corrupt.
            Stopped: when `should_stop` gave a reason during a download.
        """
        if name == BUNDLED:
            return self._bundled()
        if name == "auto":
            return self._auto()
        self.fetch(name)
        return self._from_files(name)

    def missing_files(self, name: str) -> list[str]:
        """The files of a source's four that are there neither gzipped nor plain."""
        return [file for file in FILES if idx.find_file(self.folder(name), file) is None]

    def folder(self, name: str) -> Path:
        return self.root / SOURCES[name].torchvision_class / "raw"

    def fetch(self, name: str) -> None:
        """Download what is missing of a source into the root; each file is checked before it is put in its place."""
        missing = self.missing_files(name)
        if not missing:
            return
        sums = published_md5(name)
        for file in missing:
            urls = [f"{mirror}{file}.gz" for mirror in published_class(name).mirrors]
            download(urls, self.folder(name) / f"{file}.gz", sums[file], self.should_stop, self.progress)

    def verify(self, name: str) -> dict[str, Path]:
        """Check every file of a source and decode it; returns where each one lies.

        Raises:
            DataError: naming the first file that is missing or corrupt.
        """
        if name == BUNDLED:
            self._bundled(cached=False)
            return {}
        paths = self._paths(name)
        self._decode(name, paths, {file: md5_of(path) for file, path in paths.items()})
        return paths

    def _auto(self) -> Dataset:
        try:
            self.fetch("mnist")
        except DataError as unreachable:
            try:
                dataset = self._bundled()
            except DataError as no_extra:
                here = f"put the MNIST files in {self.folder('mnist')}"
                other = Tip(Action.START_WITH, "data_dir", "their root")
                hint = Advice(f"{here} (or ", other, "), or ", *no_extra.advice.parts)
                raise DataError(f"no data to train on: {unreachable.message}", hint=hint) from unreachable
            note = f"full MNIST is not here and cannot be downloaded, so this run uses the bundled {BUNDLED}"
            return replace(dataset, note=note)
        return self._from_files("mnist")

    def _paths(self, name: str) -> dict[str, Path]:
        paths = {}
        for file in FILES:
            path = idx.find_file(self.folder(name), file)
            if path is None:
                raise DataError(f"{self.folder(name) / file}: missing", hint=Tip(Action.DOWNLOAD, name))
            paths[file] = path
        return paths

    def _from_files(self, name: str) -> Dataset:
        paths = self._paths(name)
        sums = {file: md5_of(path) for file, path in paths.items()}
        # The cache is named by what the files hold: it never hides a changed file, and a hit was checked before.
        cached = self.cache / f"{name}-{_digest(*sums.values())}.safetensors"
        tensors = read_cache(cached)
        if tensors is None:
            tensors = self._decode(name, paths, sums)
            write_cache(cached, tensors)
        return _dataset(name, tensors)

    def _decode(self, name: str, paths: Mapping[str, Path], sums: Mapping[str, str]) -> dict[str, torch.Tensor]:
        published = published_md5(name)
        tensors = {}
        for field, (file, shape) in zip(_FIELDS, FILES.items(), strict=True):
            path = paths[file]
            expected = published[file] if path.suffix == ".gz" else SOURCES[name].plain_md5.get(file)
            if expected is not None:
                check_md5(path, sums[file], expected)
            tensors[field] = idx.decode(path, shape)
            if field.endswith("labels") and int(tensors[field].max()) > 9:
                raise DataError(f"{path}: corrupt: a label is above 9", hint=REPLACE_IT)
        return tensors

    def _bundled(self, *, cached: bool = True) -> Dataset:
        from core.data.bundled import decode_bundled, find_bundled

        path = find_bundled()
        cache = self.cache / f"{BUNDLED}-{_digest(md5_of(path))}.safetensors"
        tensors = read_cache(cache) if cached else None
        if tensors is None:
            tensors = decode_bundled(path)
            write_cache(cache, tensors)
        return _dataset(BUNDLED, tensors)


def _dataset(name: str, tensors: Mapping[str, torch.Tensor]) -> Dataset:
    source = SOURCES["mnist" if name == BUNDLED else name]
    return Dataset(
        name=name,
        train_images=tensors["train_images"],
        train_labels=tensors["train_labels"].long(),
        test_images=tensors["test_images"],
        test_labels=tensors["test_labels"].long(),
        mean=source.mean,
        std=source.std,
    )


def _digest(*sums: str) -> str:
    return sha256("".join(sums).encode()).hexdigest()[:16]
