"""Files of somebody, as the tests write them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from core.models.own.load import load_own_module

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file below a folder of the test's own, by default `net.py`, with torch imported."""

    def write(text: str, name: str = "net.py", *, head: str = HEAD) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def load() -> Callable[..., nn.Module]:
    """Loads what is named in a file."""

    def load_it(path: Path, name: str = "Net", *, seed: int = 0, whole_file: bool = False) -> nn.Module:
        return load_own_module(f"{path}:{name}", seed=seed, whole_file=whole_file).module

    return load_it
