"""Readers of files from anywhere, given bytes near those of a good file: they read them or refuse them in one line."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.data.picture import read_picture, write_picture
from core.errors import LabError
from core.storage.checkpoint import load_checkpoint, previous
from experiments.presets.loader import load_config_file
from experiments.runs.config import stored_config
from experiments.runs.folder import Run
from experiments.verification.bundle import pack, unpacked


def damaged(content: bytes, seed: int, cuts: int) -> bytes:
    """A few bytes changed, doubled, left out or taken from elsewhere in the file."""
    rng, found = random.Random(seed), bytearray(content)
    for _ in range(cuts):
        at, length = rng.randrange(len(found) or 1), rng.randrange(1, 9)
        from_there = bytes(found[(start := rng.randrange(len(found) or 1)) : start + length])
        found[at : at + rng.choice((0, length))] = rng.choice(
            (from_there, rng.randbytes(length), b"", b"9" * 30, b"[" * 2_000, b'"', b"\\u0000", b"NaN", b"-1", b"1e999")
        )
    return bytes(found)


def open_bundle(path: Path) -> None:
    with unpacked(path) as (run, _):
        run.view()


@pytest.fixture
def readers(finished: Run, tmp_path: Path) -> dict[str, tuple[Path, Callable[[], object]]]:
    """A good file of each kind, and what reads it."""
    import torch

    previous(finished.checkpoint).unlink(missing_ok=True)
    (tmp_path / "run.zip").write_bytes(pack(finished))
    (tmp_path / "config.toml").write_text('base = "seed-conv5"\nlr = 0.05\nepochs = 3\n')
    digit = torch.zeros(40, 30, dtype=torch.uint8)
    digit[10:30, 14:17] = 255
    write_picture(tmp_path / "digit.png", digit)
    return {
        "log": (finished.log, finished.view),
        "row": (finished.log, finished.row),
        "config": (finished.folder / "config.json", lambda: stored_config(finished)),
        "meta": (finished.folder / "meta.json", finished.meta),
        "owner": (finished.folder / "owner.json", finished.is_alive),
        "checkpoint": (finished.checkpoint, lambda: load_checkpoint(finished.checkpoint)),
        "predictions": (finished.predictions, finished.load_predictions),
        "bundle": (tmp_path / "run.zip", lambda: open_bundle(tmp_path / "run.zip")),
        "settings": (tmp_path / "config.toml", lambda: load_config_file(tmp_path / "config.toml")),
        "picture": (tmp_path / "digit.png", lambda: read_picture(tmp_path / "digit.png")),
    }


@pytest.mark.parametrize(
    "name",
    ["log", "row", "config", "meta", "owner", "checkpoint", "predictions", "bundle", "settings", "picture"],
)
def test_a_damaged_file_is_read_or_refused_in_one_line(readers, name):
    path, read = readers[name]
    content = path.read_bytes() if path.exists() else b'{"host": "vm", "pid": 1, "started": 1.0}'

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(seed=st.integers(0, 1 << 30), cuts=st.integers(1, 6))
    def check(seed: int, cuts: int) -> None:
        path.write_bytes(damaged(content, seed, cuts))
        try:
            read()
        except LabError as refusal:
            assert refusal.message.isprintable()  # noqa: PT017  # what is refused is so in words

    check()
