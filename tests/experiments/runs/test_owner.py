"""Folders that one process at a time works on, of runs, of studies and of the claims."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from core.errors import InvalidValue, StorageError
from experiments.runs.folder import Run
from experiments.runs.owner import OwnedFolder, Owner
from experiments.studies.folder import StudyFolder

HOLD = """
import sys
from pathlib import Path
from experiments.runs.owner import OwnedFolder
with OwnedFolder(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_held_by_one_process_until_that_ends_however_it_does(tmp_path):
    folder = OwnedFolder(tmp_path / "claims")
    command = [sys.executable, "-c", HOLD, str(folder.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert (folder.owner().pid, folder.is_alive(), folder.is_owned_here()) == (other.pid, True, False)
        for block in (folder.held(), folder.locked()):
            with pytest.raises(InvalidValue, match=r"^claims = .*: another process works on it"), block:
                pytest.fail("two at a time")
        assert folder.owner().pid == other.pid
        other.kill()
    assert (folder.owner().pid, folder.is_alive()) == (other.pid, False)
    with folder.held():
        assert folder.is_owned_here()
    assert folder.owner() is None


def test_every_kind_of_folder_says_in_the_same_file_who_owns_it(tmp_path):
    for folder in (Run(tmp_path / "run"), StudyFolder(tmp_path / "study"), OwnedFolder(tmp_path / "claims")):
        folder.folder.mkdir()
        folder.hand_over(Owner("there", 1, 2.5))
        assert json.loads((folder.folder / "owner.json").read_text()) == {"host": "there", "pid": 1, "started": 2.5}
        os.utime(folder.owner_file, (0, 0))
        assert not folder.is_alive()  # the last sign of life is too long ago
        folder.beat()
        assert folder.is_alive()
        folder.disown()
        folder.disown()
        assert list(folder.folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "claims").write_text("")
    with pytest.raises(StorageError, match="claims: cannot be written"), OwnedFolder(tmp_path / "claims").held():
        pytest.fail("there is no folder")
