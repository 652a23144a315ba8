"""A network of one's own in a file, and the same file changed: other code, whose weights have the same names."""

from __future__ import annotations

from pathlib import Path

CODE = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, width=4):
        super().__init__(
            nn.Conv2d(1, width, 5, stride=3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)
        )
"""


def write_own(folder: Path, name: str = "net.py") -> str:
    """Write the file; returns the architecture."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(CODE)
    return f"{folder / name}:Net"


def change_own(path: Path) -> None:
    path.write_text(path.read_text().replace("nn.ReLU()", "nn.Tanh()"))
