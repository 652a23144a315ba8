"""Data sets as uint8 tensors, whole in memory: square grey images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import torch

from core.advice import Action, Advice, Tip
from core.data.decoded import Decoded, decoded
from core.data.download import Progress, download
from core.data.known import is_as_published, read_known
from core.data.places import SourcePlace, find_place, is_open_to_downloads
from core.data.sources import ALIASES, BUNDLED, EMNIST_BYTES, SOURCES, addresses
from core.data.stored import Stored, md5_of
from core.dataset_names import is_own, name_of, path_and_pin, pinned
from core.errors import DataError, ShouldStop
from core.task import DIGITS, ImageTask


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images are uint8 of shape (N, S, S), labels int64 of shape (N,), each an index of `classes`.

    `mean` and `std` are those of the training pixels, scaled to 0..1. `note` says what a user should know about how the
    data set was chosen. `classes` are the names of the classes. `path` is that of one's own data, with the sum of what
    is in it: what a config says to have the same again. `set_aside` says that the images to test on are a
    share of what there was to train on.
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
    path: str = ""
    set_aside: bool = False

    @property
    def task(self) -> ImageTask:
        return ImageTask(self.train_images.shape[-1], len(self.classes))

    @property
    def choice(self) -> str:
        """What `TrainConfig.dataset` says to have exactly this one."""
        return self.path or self.name

    def limited(self, train: int | None, test: int | None) -> Dataset:
        """The first so many training and test images; None for all."""
        return replace(
            self,
            train_images=self.train_images[:train],
            train_labels=self.train_labels[:train],
            test_images=self.test_images[:test],
            test_labels=self.test_labels[:test],
        )


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads data sets, downloading them where they are missing.

    `root` has torchvision's layout, or is itself a folder with the files of a data set, and is written to by downloads
    alone; decoded tensors are kept in `cache`.
    """

    root: Path
    cache: Path
    should_stop: ShouldStop = lambda: ""
    progress: Progress = lambda *_: None

    def load(self, name: str) -> Dataset:
        """A data set by name, downloaded when it is missing, or one's own by its path; ``auto`` is full MNIST, else the
        bundled digits.

        Raises:
            DataError: missing and unreachable, or corrupt; for one's own also when it is another than it is to be.
            Stopped: when `should_stop` gave a reason during a download.
        """
        if is_own(name):
            return self._own(name)
        name = ALIASES.get(name, name)
        if name == BUNDLED:
            return self._bundled()
        if name == "auto":
            return self._auto()
        self.fetch(name)
        return self._from_files(name)

    def place(self, name: str) -> SourcePlace:
        """Where the files of a source are, or would be put."""
        return find_place(self.root, ALIASES.get(name, name))

    def fetch(self, name: str, *, asked: bool = False) -> None:
        """Download what is missing of a source; each file is checked before it is put in its place.

        Args:
            asked: whether that is what the user asked for. Without it no folder is made where others' files are, and
                nothing very large is downloaded.

        Raises:
            DataError: when it cannot be had, with what to fetch and where to put it.
            Stopped: when asked to.
        """
        name = ALIASES.get(name, name)
        source, place = SOURCES[name], self.place(name)
        if not place.missing:
            return
        if not asked:
            self._check_may_fetch(name, place)
        published = addresses(name)
        wanted = [source.archive] if source.archive else [f"{file}.gz" for file in place.missing]
        from_there = " or ".join(dict.fromkeys(f"{url.rpartition('/')[0]}/" for url in published[wanted[0]][0]))
        it = "it" if len(wanted) == 1 else "them"
        hint = f"check the network, or put {', '.join(wanted)} into {place.folder}: {from_there} has {it}"
        for file in wanted:
            urls, md5 = published[file]
            download(urls, place.folder / file, md5, self.should_stop, self.progress, hint)

    def verify(self, name: str) -> list[tuple[Stored, bool]]:
        """Check every file of a source and decode it; returns where each one lies, and whether it could be held against
        a published sum. The bundled digits and one's own data have no such files.

        Raises:
            DataError: naming the first file that is missing or corrupt.
        """
        if is_own(name):
            self._own(name)
            return []
        name = ALIASES.get(name, name)
        if name == BUNDLED:
            self._bundled(cached=False)
            return []
        place = self._whole(name)
        sums = {file: md5_of(stored) for file, stored in place.files.items()}
        read_known(name, place, sums)
        return [
            (place.files[facts.name], is_as_published(name, place, facts, sums[facts.name]))
            for facts in SOURCES[name].files
        ]

    def _check_may_fetch(self, name: str, place: SourcePlace) -> None:
        """Raise `DataError` for what is downloaded only when a user asks for just that."""
        hint = Advice(Tip(Action.DOWNLOAD, name), f" puts them into {place.folder}")
        if SOURCES[name].archive:
            size = f"they are published in one archive of {EMNIST_BYTES / 1e6:.0f} MB"
            raise DataError(f"{place.folder}: the files of {name} are missing; {size}", hint=hint)
        if not place.folder.is_dir() and not is_open_to_downloads(self.root):
            others = "".join(f" ({other})" for other in place.others)
            raise DataError(f"{self.root}: has no files of {name}{others}", hint=hint)

    def _auto(self) -> Dataset:
        try:
            self.fetch("mnist")
        except DataError as unreachable:
            try:
                dataset = self._bundled()
            except DataError as no_extra:
                here = f"put the MNIST files in {self.place('mnist').folder}"
                other = Tip(Action.START_WITH, "data_dir", "their root")
                hint = Advice(f"{here} (or ", other, "), or ", *no_extra.advice.parts)
                raise DataError(f"no data to train on: {unreachable.message}", hint=hint) from unreachable
            note = f"full MNIST is not here and cannot be downloaded, so this run uses the bundled {BUNDLED}"
            return replace(dataset, note=note)
        return self._from_files("mnist")

    def _whole(self, name: str) -> SourcePlace:
        place = self.place(name)
        if place.missing:
            others = "".join(f" ({other})" for other in place.others)
            raise DataError(f"{place.folder / place.missing[0]}: missing{others}", hint=Tip(Action.DOWNLOAD, name))
        return place

    def _from_files(self, name: str) -> Dataset:
        source, place = SOURCES[name], self._whole(name)
        sums = {file: md5_of(place.files[file]) for file in source.names}
        published = (source.mean, source.std) if source.mean is not None and source.std is not None else None

        def read() -> Decoded:
            arrays, note = read_known(name, place, sums)
            return Decoded.of(arrays, source.classes, note, published)

        return _dataset(name, decoded(self.cache, name, _digest(*sums.values()), read))

    def _bundled(self, *, cached: bool = True) -> Dataset:
        from core.data.bundled import decode_bundled, find_bundled

        path, source = find_bundled(), SOURCES["mnist"]
        assert source.mean is not None, "of MNIST they are known"
        assert source.std is not None
        statistics = (source.mean, source.std)

        def read() -> Decoded:
            return Decoded.of(decode_bundled(path), DIGITS, "", statistics)

        return _dataset(BUNDLED, decoded(self.cache, BUNDLED, _digest(md5_of(path)), read) if cached else read())

    def _own(self, dataset: str) -> Dataset:
        from core.data.own.load import load_own

        try:
            path, pin = path_and_pin(dataset)
        except RuntimeError as error:
            raise DataError(f"{dataset}: there is no such user", hint="write the path in full") from error
        found, digits = load_own(path, self.cache, self.should_stop)
        if pin and pin != digits:
            raise DataError(
                f"{path}: changed: the sum of what is in it begins with {digits}, not {pin}",
                hint="put the data back as they were, or begin a new run with these",
            )
        choice = pinned(path, digits)
        return replace(_dataset(name_of(choice), found), path=choice)


def _dataset(name: str, found: Decoded) -> Dataset:
    tensors: Mapping[str, torch.Tensor] = found.tensors
    return Dataset(
        name=name,
        train_images=tensors["train_images"],
        train_labels=tensors["train_labels"].long(),
        test_images=tensors["test_images"],
        test_labels=tensors["test_labels"].long(),
        mean=found.mean,
        std=found.std,
        note=found.note,
        classes=found.classes,
        set_aside=found.set_aside,
    )


def _digest(*sums: str) -> str:
    return sha256("".join(sums).encode()).hexdigest()
