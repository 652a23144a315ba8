"""Files as people have them, each of another kind, and what is named in them. None of them is this project's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n"

PLAIN = """
class Net(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 5, stride=2, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.head = nn.Linear(width * 36, 10)

    def forward(self, x):
        return F.log_softmax(self.head(torch.flatten(self.features(x), 1)), dim=1)
"""

VIEW = """
class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(1, 6, 3, stride=2)
        self.two = nn.Linear(6 * 36, 10)

    def forward(self, x):
        x = F.avg_pool2d(torch.tanh(self.one(x)), 2)
        return self.two(x.view(x.shape[0], -1))
"""

NORM = """
class HalfNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        n, c, h, w = x.shape
        parts = x.view(n, 2, c // 2, h, w)
        parts = parts / (parts.pow(2).mean((2, 3, 4), keepdim=True) + 1e-5).sqrt()
        return parts.view(n, c, h, w) * self.scale[:, None, None]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.head = nn.Conv2d(1, 8, 5, stride=3), HalfNorm(8), nn.Linear(8, 10)

    def forward(self, x):
        return self.head(F.relu(self.norm(self.a(x))).mean((2, 3)))
"""

SEEDED = """
import random
import numpy as np

torch.manual_seed(7)
np.random.seed(7)
random.seed(7)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 7, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))

    def forward(self, x):
        if self.training:
            x = x * (1 + np.random.uniform(-0.05, 0.05)) + random.gauss(0, 0.02)
        return self.body(x)
"""

SCRIPT = """
import sys
import no_such_package_of_plots
from no_such_package_of_summaries import summary

CHANNELS = 5
device = "cuda" if torch.cuda.is_available() else "cpu"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, CHANNELS, 3, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(CHANNELS)
        self.last = nn.Conv2d(CHANNELS, 10, 1)

    def forward(self, x):
        x = self.last(F.dropout2d(F.relu(self.norm(self.conv(x))), 0.05, self.training))
        return F.log_softmax(F.adaptive_avg_pool2d(x, 1).view(-1, 10), dim=1)


model = Net().to(device)
summary(model, (1, 28, 28))
open("weights.pt", "w").write("trained")
sys.exit("the script was run")
"""

GLOBAL = """
import os
import warnings

torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.set_num_threads(1)
os.chdir("/")
os.environ["NET_WAS_HERE"] = "1"
warnings.simplefilter("ignore")


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 6, 5, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(384, 10))
"""

UNUSED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.first_try, self.head = nn.Conv2d(1, 6, 5, stride=4), nn.Linear(50, 10), nn.Linear(216, 10)

    def forward(self, x):
        return self.head(F.relu(self.conv(x)).flatten(1))
"""

SIBLING = """
from utils import block


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(block(1, 4), block(4, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.body(x))
"""

BLOCK = """
def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
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

_CELLS = (
    "!pip install no_such_package\n%matplotlib inline\n",
    HEAD,
    PLAIN,
    "raise SystemExit('the notebook was run')\n",
)
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": cell}
            for cell in _CELLS
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)


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
            if path.suffix == ".py":
                path.write_text(path.read_text() + "\n# changed\n")
            else:
                path.write_text(
                    path.read_text().replace('"metadata": {}, "nbformat"', '"metadata": {"a": 1}, "nbformat"')
                )


def _alone(code: str, call: str, parameters: int, file: str = "net.py") -> OwnNetwork:
    return OwnNetwork({file: HEAD + code}, file, call, parameters)


_IN_PACKAGE = {
    "nets/__init__.py": "",
    "nets/model.py": HEAD + PACKAGE,
    "nets/parts/__init__.py": "",
    "nets/parts/gate.py": HEAD + GATE,
}
NETWORKS: Mapping[str, OwnNetwork] = {
    "class": _alone(PLAIN, "Net", 2_332),
    "arguments": _alone(PLAIN, "Net(width=4)", 1_558),
    "view": _alone(VIEW, "Digits", 2_230),
    "norm of the author's own": _alone(NORM, "Net", 306),
    "seeded": _alone(SEEDED, "Net", 2_770),
    "script": _alone(SCRIPT, "Net", 115),
    "global state": _alone(GLOBAL, "Net", 4_006),
    "unused layer": _alone(UNUSED, "Net", 2_836),
    "sibling": OwnNetwork({"net.py": HEAD + SIBLING, "utils.py": HEAD + BLOCK}, "net.py", "Net", 438),
    "package": OwnNetwork(_IN_PACKAGE, "nets/model.py", 'Net(8, norm="gn")', 386),
    "factory": OwnNetwork(_IN_PACKAGE, "nets/model.py", "tiny()", 182),
    "instance": OwnNetwork(_IN_PACKAGE, "nets/model.py", "net", 280),
    "notebook": OwnNetwork({"work.ipynb": NOTEBOOK}, "work.ipynb", "Net", 2_332),
}
