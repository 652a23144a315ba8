"""What a bundle holds: the names of its files, and the largest size of each."""

from __future__ import annotations

import re

from experiments.runs.naming import RUN_ID
from experiments.runs.provenance import PARENT, WEIGHTS
from experiments.runs.source import FOLDER, MAX_BYTES, RECORD
from experiments.runs.teacher import MAX_BYTES as MAX_TEACHER
from experiments.runs.teacher import TEACHER

VERSION = 1
MIB = 1 << 20
RUN, GROUP = "mnist-tui", "mnist-tui group"
"""What the manifest calls a bundle of one run, and one of several."""
LIMITS = {
    "config.json": MIB,
    "meta.json": MIB,
    "env.json": MIB,
    "events.jsonl": 64 * MIB,
    "final.safetensors": 64 * MIB,
    "best.safetensors": 64 * MIB,
    "predictions.safetensors": 16 * MIB,
    PARENT: MIB,
    TEACHER: MAX_TEACHER,
    RECORD: MIB,
}
"""The files of a run's bundle beside its manifest and its code, and the largest size of each in bytes, unpacked."""
LOG = "events.jsonl"
NEEDED = ("config.json", LOG)
LARGE = (*WEIGHTS, "predictions.safetensors", TEACHER)
"""The files that a bundle may be made without."""
STEPS = "step_progress"
"""The lines of a log that a bundle may be made without: losses within epochs, nine tenths of it."""
MAX_BUNDLE = sum(LIMITS.values()) + MAX_BYTES + 2 * MIB
MAX_RUNS = 500
"""Runs in a group's bundle."""
MAX_GROUP = 512 * MIB
"""Bytes of a group's bundle, and of all that is in it, unpacked."""
MEMBER = re.compile(rf"{RUN_ID.pattern}\.zip")
"""The name of a run's bundle in that of its group."""


def without_steps(log: bytes) -> bytes:
    """A log, as this program writes it, without the lines of losses within epochs."""
    lines = log.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b'{"event": "%s"' % STEPS.encode()))


def is_code(name: str) -> bool:
    """Whether a name is that of a file of a user's own module."""
    return name.startswith(f"{FOLDER}/")
