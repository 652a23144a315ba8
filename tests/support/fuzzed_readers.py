"""Readers of files from anywhere, and bytes near those of a good file to give to them."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import own_data
from picture_files import read_picture
from sweep_tools import Inline, drive, tiny_plan

from core.data.own.form import find_form
from core.data.own.settle import settle
from core.data.picture import write_picture
from core.errors import LabError
from core.models.spec import parse
from core.models.summary import summarize
from core.storage.checkpoint import load_checkpoint, previous
from experiments.bundles.pack import pack, pack_all
from experiments.bundles.unpack import unpacked
from experiments.locations import Locations
from experiments.presets.loader import load_config_file
from experiments.runs.config import stored_config
from experiments.runs.folder import Run
from experiments.runs.store import Store
from experiments.settings import load_settings
from experiments.studies.view import study_view

SPEC = "c8p1 bn res(c8p1b0r c8p1l | c8k1l) rep2(c4p1) tie2(c4p1 d0.1) p3s2p1 gn2 lrelu0.1 scale0.5 flat fc12l fc10"
SETTINGS = 'theme = "nord"\non_hangup = "stop"\n[keys]\n"app.help" = "f2"\n'
ODD = (b"9" * 30, b"[" * 2_000, b'"', b"\\u0000", b"NaN", b"-1", b"1e999", b"(", b")", b"\n", b"{}", b"null", b"\0" * 9)


@dataclass(frozen=True, slots=True)
class Reader:
    """A good file, and what reads it."""

    path: Path
    read: Callable[[], object]
    good: bytes


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, doubled, left out or taken from elsewhere in the file, or a line moved."""
    found = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        at, length = rng.randrange(len(found) or 1), rng.randrange(1, 9)
        from_there = bytes(found[(start := rng.randrange(len(found) or 1)) : start + length])
        if rng.random() < 0.15:
            lines = bytes(found).splitlines(keepends=True)
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines or [b"\n"]))
            if rng.random() < 0.5:
                del lines[rng.randrange(len(lines))]
            found = bytearray(b"".join(lines))
            continue
        found[at : at + rng.choice((0, length))] = rng.choice((from_there, rng.randbytes(length), b"", *ODD))
    return bytes(found)


def attempt(reader: Reader, rng: random.Random) -> str:
    """Read a damaged file; returns what is wrong with how that was refused, empty where nothing is.

    What no reader may raise comes through.
    """
    reader.path.write_bytes(damaged(reader.good, rng))
    try:
        reader.read()
    except LabError as refusal:
        return "" if refusal.message.isprintable() else f"no line: {refusal.message!r}"
    return ""


def make_readers(finished: Run, locations: Locations, folder: Path) -> Mapping[str, Reader]:
    """A reader of each kind of file. `finished` is a run of these locations; `folder` is for the files of others."""
    import torch

    previous(finished.checkpoint).unlink(missing_ok=True)
    digit = torch.zeros(40, 30, dtype=torch.uint8)
    digit[10:30, 14:17] = 255
    for suffix in ("png", "bmp"):
        write_picture(folder / f"digit.{suffix}", digit)
    (folder / "config.toml").write_text('base = "seed-conv5"\nlr = 0.05\nepochs = 3\n')
    (folder / "settings.toml").write_text(SETTINGS)
    (folder / "spec.txt").write_text(SPEC)
    bundle = folder / "run.zip"
    bundle.write_bytes(pack(finished))
    group = folder / "group.zip"
    group.write_bytes(pack_all("g20260101-000000-aaaaaaaa", [finished]))
    images, labels = own_data.draw(24, 8, 3)
    names = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
    pairs = own_data.write_pairs(folder / "idx", names, images, labels, images, labels)
    table = own_data.write_csv(folder / "table.csv", images, labels)
    arrays = own_data.write_npz(folder / "arrays.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    drive(locations, tiny_plan({"epochs": "1", "arch": "fc10"}), Inline(locations))
    study = locations.home / "studies" / "s"
    store = Store(locations.home)
    store.rows()  # which makes the index
    owner = finished.folder / "owner.json"
    readers: dict[str, tuple[Path, Callable[[], object]]] = {
        "log": (finished.log, finished.view),
        "row": (finished.log, finished.row),
        "config": (finished.folder / "config.json", lambda: stored_config(finished)),
        "meta": (finished.folder / "meta.json", finished.meta),
        "owner": (owner, finished.is_alive),
        "checkpoint": (finished.checkpoint, lambda: load_checkpoint(finished.checkpoint)),
        "predictions": (finished.predictions, finished.load_predictions),
        "index": (locations.home / "index.sqlite", store.rows),
        "bundle": (bundle, lambda: _open_bundle(bundle)),
        "group": (group, lambda: _open_bundle(group)),
        "settings": (folder / "config.toml", lambda: load_config_file(folder / "config.toml")),
        "own settings": (folder / "settings.toml", lambda: load_settings(path=folder / "settings.toml", environ={})),
        "picture": (folder / "digit.png", lambda: read_picture(folder / "digit.png")),
        "bitmap": (folder / "digit.bmp", lambda: read_picture(folder / "digit.bmp")),
        "spec": (folder / "spec.txt", lambda: _summarize(folder / "spec.txt")),
        "idx": (pairs / names[0], lambda: _read_data(pairs)),
        "labels": (pairs / names[1], lambda: _read_data(pairs)),
        "table": (table, lambda: _read_data(table)),
        "arrays": (arrays, lambda: _read_data(arrays)),
        "study": (study / "study.json", lambda: study_view(locations.home, "s")),
        "journal": (study / "journal.jsonl", lambda: study_view(locations.home, "s")),
    }
    good = {path: path.read_bytes() for path, _ in readers.values() if path != owner}
    good[owner] = json.dumps({"host": os.uname().nodename, "pid": 1, "started": 1.0, "birth": "x"}).encode()
    return {name: Reader(path, read, good[path]) for name, (path, read) in readers.items()}


NAMES = (
    *("log", "row", "config", "meta", "owner", "checkpoint", "predictions", "index", "bundle", "group"),
    *("settings", "own settings", "picture", "bitmap", "spec", "idx", "labels", "table", "arrays", "study", "journal"),
)


def _open_bundle(path: Path) -> None:
    with unpacked(path) as found:
        for run, _ in found:
            run.view()


def _summarize(path: Path) -> None:
    summarize(parse(path.read_bytes().decode("latin-1")))


def _read_data(path: Path) -> None:
    settle(path, find_form(path).read())
