"""Where things lie: flags before variables before the platform's own folders."""

from pathlib import Path

import pytest

from experiments.locations import Locations


@pytest.fixture
def platform(monkeypatch, tmp_path):
    """The platform's folders, below the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_without_settings_the_platform_decides(platform):
    found = Locations.resolve(environ={})
    assert found.home == platform / "share" / "mnist-tui"
    assert found.data == platform / "cache" / "mnist-tui" / "data"
    assert found.cache == platform / "cache" / "mnist-tui" / "decoded"


def test_a_variable_comes_before_the_platform_and_a_flag_before_the_variable(platform):
    environ = {"MNIST_TUI_HOME": "/a/home", "MNIST_TUI_DATA": "/a/data"}
    found = Locations.resolve(environ=environ)
    assert (found.home, found.data) == (Path("/a/home"), Path("/a/data"))
    found = Locations.resolve(Path("/b/home"), Path("/b/data"), environ)
    assert (found.home, found.data) == (Path("/b/home"), Path("/b/data"))


def test_an_empty_variable_is_none(platform):
    assert Locations.resolve(environ={"MNIST_TUI_HOME": ""}).home == platform / "share" / "mnist-tui"


def test_relative_and_home_paths_are_made_absolute(platform, monkeypatch):
    monkeypatch.chdir(platform)
    monkeypatch.setenv("HOME", "/people/me")
    found = Locations.resolve(Path("runs"), environ={"MNIST_TUI_DATA": "~/data"})
    assert (found.home, found.data) == (platform / "runs", Path("/people/me/data"))
