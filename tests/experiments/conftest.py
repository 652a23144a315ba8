"""A home, data root and cache for each test, and runs that need no training."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.config import TrainConfig
from experiments.locations import Locations
from experiments.runs.folder import Meta, Run
from experiments.runs.store import Store


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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory: pytest.TempPathFactory, cache_home: Path, tiny: TrainConfig) -> Path:
    """A home with one finished run, called first. Not to be changed."""
    from experiments.execution.runner import Runner

    home = tmp_path_factory.mktemp("finished")
    list(Runner(Locations(home, home / "data", cache_home / "mnist-tui" / "decoded")).run(tiny, Meta("first")))
    return home


@pytest.fixture
def finished(finished_home: Path, store: Store) -> Run:
    """That run in the test's own home."""
    shutil.copytree(finished_home / "runs", store.home / "runs")
    return store.find("first")
