"""stdout is for data, whatever a user's own module and what it starts write there."""

import json

import pytest

LOUD = """
import ctypes
import os
import subprocess
import sys
import torch

def shout():
    print("print")
    print("the stream as it was", file=sys.__stdout__)
    os.write(1, b"the descriptor\\n")
    ctypes.CDLL(None).printf(b"C\\n")
    subprocess.run(["echo", "a child"])

class Net(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(784, 10))
        shout()
    def forward(self, x):
        shout()
        return super().forward(x)
"""

RUN = "run --dataset mnist-5k --limit-train 256 --limit-test 200 --device cpu --epochs 1 --json --arch"


@pytest.mark.parametrize("command", [RUN, "archs show --json"])
def test_what_a_module_writes_to_stdout_goes_to_stderr(lab, tmp_path, command):
    (tmp_path / "loud.py").write_text(LOUD)
    done = lab.run(*command.split(), f"{tmp_path}/loud.py:Net")
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines() if command == RUN else [done.stdout]:
        json.loads(line)
    for words in ("print", "the stream as it was", "the descriptor", "C", "a child"):
        assert words in done.stderr.splitlines()
