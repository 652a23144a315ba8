"""A home, data root and cache for each test, and runs that need no training."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import TrainConfig
from experiments.locations import Locations
from experiments.store import Store


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch, cache_home):
    for variable in ("MNIST_TUI_HOME", "MNIST_TUI_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))


@pytest.fixture
def locations(tmp_path: Path, cache_home: Path) -> Locations:
    return Locations(tmp_path / "home", tmp_path / "data", cache_home / "mnist-tui" / "decoded")


@pytest.fixture
def store(locations: Locations) -> Store:
    return Store(locations.home)


@pytest.fixture
def tiny() -> TrainConfig:
    """Two epochs of two steps, over in a tenth of a second."""
    return TrainConfig.checked(
        {
            "arch": "c4 p2 c8 gap fc10",
            "dataset": "mnist-5k",
            "epochs": 2,
            "batch_size": 128,
            "limit_train": 256,
            "limit_test": 200,
            "device": "cpu",
        }
    )
