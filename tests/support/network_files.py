"""Files as people have them, each of another kind, and what is named in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n"

UNUSED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.first_try, self.head = nn.Conv2d(1, 6, 5, stride=4), nn.Linear(50, 10), nn.Linear(216, 10)

    def forward(self, x):
        return self.head(F.relu(self.conv(x)).flatten(1))
"""

PACKAGE = """
from .parts.gate import Gate


class Net(nn.Module):
    def __init__(self, width, norm="bn"):
        super().__init__()
        normed = {"bn": nn.BatchNorm2d(width), "gn": nn.GroupNorm(2, width)}[norm]
        self.body = nn.Sequential(nn.Conv2d(1, width, 5, stride=3), normed, nn.ReLU(), Gate(width))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


def tiny():
    return Net(4)


net = Net(6, norm="gn")
"""

GATE = """
class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Linear(channels, channels)

    def forward(self, x):
        return x * torch.sigmoid(self.gate(x.mean((2, 3))))[:, :, None, None]
"""


@dataclass(frozen=True)
class OwnNetwork:
    """Files by their path, and which network is named: the file, what follows its colon, its number of parameters."""

    files: Mapping[str, str]
    file: str
    call: str
    parameters: int

    def write(self, folder: Path) -> str:
        """Write the files; returns the architecture."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return f"{folder / self.file}:{self.call}"

    def change(self, folder: Path) -> None:
        """Add a comment to every file, so that none is what it was."""
        for name in self.files:
            path = folder / name
            path.write_text(path.read_text() + "\n# changed\n")


def _alone(code: str, call: str, parameters: int, file: str = "net.py") -> OwnNetwork:
    return OwnNetwork({file: HEAD + code}, file, call, parameters)


_IN_PACKAGE = {
    "nets/__init__.py": "",
    "nets/model.py": HEAD + PACKAGE,
    "nets/parts/__init__.py": "",
    "nets/parts/gate.py": HEAD + GATE,
}
NETWORKS: Mapping[str, OwnNetwork] = {
    "unused layer": _alone(UNUSED, "Net", 2_836),
    "instance": OwnNetwork(_IN_PACKAGE, "nets/model.py", "net", 280),
}
