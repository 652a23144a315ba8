"""A network of one's own whose training waits for a test, so that no test has to be faster than a run."""

from __future__ import annotations

from pathlib import Path

CODE = """
import time
import weakref
from pathlib import Path
from torch import nn

CLOSED = Path(__file__).with_name("closed")

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
        self.passes = self.steps = 0  # what counts equals no spec, and is run as it is
        self.trained = weakref.ref(self)  # also in copies, which are tried before the run and count for nothing

    def forward(self, images):
        self.passes += 1
        self.steps += self.training and self.trained() is self
        if self.training and self.steps > {free_steps}:
            end = time.monotonic() + {seconds}
            while CLOSED.exists() and time.monotonic() < end:
                time.sleep(0.01)
        return super().forward(images)
"""


class Gate:
    """Closed at first: a process that trains `arch` takes so many steps, then waits before each until it is opened.

    A wish to stop is heard between two steps, so a run that is to be stopped may wait only some `seconds` before each.
    """

    def __init__(self, folder: Path, free_steps: int, seconds: float = 1e9) -> None:
        self.arch = f"{folder / 'gated.py'}:Net"
        self._closed = folder / "closed"
        (folder / "gated.py").write_text(CODE.format(free_steps=free_steps, seconds=seconds))
        self._closed.touch()

    def open(self) -> None:
        self._closed.unlink()
