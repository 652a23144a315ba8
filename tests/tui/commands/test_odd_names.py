"""Names that are no text: a folder whose name is not UTF-8, and names in a run's files with surrogates and controls."""

from __future__ import annotations

import json
import os
import unicodedata
import xml.dom.minidom
from pathlib import Path

import pytest

from experiments.runs.store import Store

EVIL = "a\ud800\udce9b\x01\x1b]0;title\x07\x9b\u202e\u2028<b>&"
MODULE = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
"""


@pytest.fixture
def latin(tmp_path: Path) -> Path:
    """A folder named in Latin-1."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system has only names in UTF-8")
    return folder


@pytest.fixture
def named(train, home) -> str:
    """The id of a run whose every name is evil."""
    assert train("--name", "x").code == 0
    run = Store(home).find("x")
    (run.folder / "meta.json").write_text(json.dumps({"name": EVIL, "tags": [EVIL], "group_id": None}))
    log = [json.loads(line) for line in run.log.read_text().splitlines()]
    log[0] |= {"device": f"cpu {EVIL}", "note": EVIL}
    run.log.write_text("".join(json.dumps(record) + "\n" for record in log))
    return run.id


def unwanted(text: str) -> set[str]:
    kinds = ("Cc", "Cs", "Zl", "Zp")
    odd = {char for char in text if unicodedata.category(char) in kinds or char == "\u202e"}
    return odd - set("\n\t\r")


@pytest.mark.parametrize("format_name", ["csv", "json", "svg", "safetensors", "onnx"])
def test_a_run_with_odd_names_is_exported_as_well_formed_files(cli, named, tmp_path, format_name):
    if format_name == "onnx":
        pytest.importorskip("onnx")
    path = tmp_path / f"x.{format_name}"
    answer = cli("export", named, "--format", format_name, "-o", path)
    assert answer.code == 0, answer
    if format_name == "svg":
        xml.dom.minidom.parse(str(path))
    if format_name in ("csv", "json", "svg"):
        assert not unwanted(path.read_text(encoding="utf-8"))


def test_so_is_its_report(cli, named, tmp_path):
    assert cli("report", named, "-o", tmp_path / "x.html").code == 0
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert not unwanted(page)
    assert "]0;title" in page
    assert "<b>&" not in page


def test_a_home_in_a_folder_that_is_not_named_in_utf_8_is_as_any_other(cli, latin, tmp_path):
    options = ["--arch", "c4 gap fc10", "--dataset", "mnist-5k", "--limit-train", 256, "--limit-test", 100]
    home = latin / "home"
    assert cli("run", *options, "--epochs", 2, "--device", "cpu", "--name", "x", at=home).code == 0
    for command in (
        ("show", "x"),
        ("verify", "x"),
        ("resume", "x", "--epochs", 3),
        ("export", "x", "--format", "safetensors", "-o", tmp_path / "x.safetensors"),
        ("export", "x", "--format", "json", "-o", latin / "x.json"),
        ("report", "x", "-o", latin / "x.html"),
        ("bundle", "x", "-o", latin / "x.zip"),
        ("verify", latin / "x.zip"),
        ("rm", "x", "-y"),
    ):
        answer = cli(*command, at=home)
        assert answer.code == 0, (command, answer)


def test_a_module_there_is_refused_in_words(cli, refused, latin, monkeypatch):
    (latin / "net.py").write_text(MODULE)
    monkeypatch.chdir(latin)
    refused(cli("run", "--arch", "net.py:Net"), 2, "is in a folder whose name is not UTF-8")
