"""Commands on a run of a user's own module whose file has changed: the run's copy is used, and it is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from own_files import change_own, write_own

from core.data.picture import write_picture
from experiments.runs.source import read_source

CHANGED = "net.py has changed since the run was made: its own copy is used"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_own(tmp_path / "mine")
    return tmp_path / "mine" / "net.py"


@pytest.fixture
def arch(path) -> str:
    return f"{path}:Net"


@pytest.fixture
def run(train, store, arch):
    assert train("--arch", arch, "--name", "own").code == 0
    return store.find("own")


@pytest.fixture
def digit(tmp_path) -> Path:
    target = tmp_path / "digit.png"
    image = torch.zeros(28, 28, dtype=torch.uint8)
    image[6:22, 12:16] = 255
    write_picture(target, image)
    return target


def operators(path: Path) -> list[str]:
    import onnx

    return [node.op_type for node in onnx.load(path).graph.node]


ODD = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 4, 5, 4), None
    def forward(self, x):
        x = self.body(x).relu().flatten(1)
        if self.head is None:
            self.head = nn.Linear(x.shape[1], 10)
        return self.head(x).softmax(1)
"""


@pytest.fixture(autouse=True)
def named(tmp_path, monkeypatch) -> Path:
    """The folder of what is known to have been named, in this test alone."""
    monkeypatch.setattr("experiments.runs.own_code.named_code_folder", lambda: tmp_path / "named")
    return tmp_path / "named"


def test_every_command_that_uses_the_code_uses_the_copy_and_says_so(cli, run, arch, path, digit, tmp_path):
    before = cli("predict", "own", digit, "--arch", arch)
    cli("export", "own", "--format", "onnx", "-o", tmp_path / "before.onnx", "--arch", arch)
    assert CHANGED not in before.err
    change_own(path)
    after = cli("predict", "own", digit, "--arch", arch)
    # A network that has learnt little may call the picture doubtful, then as before.
    assert (after.code, after.out, after.err) == (0, before.out, f"{CHANGED}\n{before.err}")
    verified = cli("verify", "own", "--arch", arch)
    assert verified.code == 0
    assert CHANGED in verified.err
    exported = cli("export", "own", "--format", "onnx", "-o", tmp_path / "after.onnx", "--arch", arch)
    assert (exported.code, exported.err) == (0, f"{CHANGED}\n")
    assert operators(tmp_path / "after.onnx") == operators(tmp_path / "before.onnx")
    extended = cli("resume", "own", "--epochs", "3", "--arch", arch)
    assert extended.code == 0
    assert f"warning: {CHANGED}" in extended.err
    bundled = cli("bundle", "own", "-o", tmp_path / "own.zip")
    assert "the bundle has the run's own copy" in bundled.err
    assert cli("verify", tmp_path / "own.zip", "--arch", arch).code == 0


def test_show_says_where_the_code_is(cli, run, path):
    copy = run.folder / "source"
    assert f"the copy of net.py that the run keeps in {copy}" in cli("show", "own").out
    source = cli("show", "own", "--json").json["source"]
    assert (source["folder"], source["root"], source["main"]) == (str(copy), str(path.parent), "net.py")
    assert (source["files"].keys(), source["changed"]) == ({"net.py"}, None)
    change_own(path)
    assert "net.py has changed since" in cli("show", "own").out
    assert cli("show", "own", "--json").json["source"]["changed"] == "net.py has changed"
    (run.folder / "source.json").write_text("{")
    assert "damaged" in cli("show", "own").out
    assert "damaged" in cli("show", "own", "--json").json["source"]["error"]


def test_a_spec_has_no_code_to_show(cli, train):
    assert train("--name", "spec").code == 0
    assert "  code " not in cli("show", "spec").out
    assert cli("show", "spec", "--json").json["source"] is None


def test_a_run_folder_that_came_from_elsewhere_is_run_only_as_it_is_named(cli, run, arch, path, digit, named, refused):
    shutil.rmtree(named)
    (run.folder / "source" / "net.py").write_text(path.read_text() + "        print('foreign')\n")
    record = json.loads((run.folder / "source.json").read_text())
    content = (run.folder / "source" / "net.py").read_bytes()
    from hashlib import sha256

    record["files"]["net.py"] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    (run.folder / "source.json").write_text(json.dumps(record))
    unnamed = cli("predict", "own", digit)
    refused(unnamed, 2, "a module of your own")
    copy = f"{run.folder}/source/net.py:Net"
    assert f"--arch {copy}" in unnamed.err
    named = cli("predict", "own", digit, "--arch", arch)
    assert named.code == 0
    assert "foreign" not in named.out + named.err
    assert "what was named is used" in named.err
    refused(cli("resume", "own", "--epochs", "3", "--arch", arch), 2, "net.py has changed since the run was made")
    spoken = cli("predict", "own", digit, "--arch", copy)
    assert "foreign" in spoken.out + spoken.err
    assert cli("resume", "own", "--epochs", "3", "--arch", copy).code == 0


def test_a_path_that_a_shell_would_take_apart_is_quoted_in_the_hint(cli, train, tmp_path, digit):
    arch = write_own(tmp_path / "my nets") + "(width=6)"
    assert train("--arch", arch, "--name", "own").code == 0
    assert f"--arch '{arch}'" in cli("predict", "own", digit).err


def test_seeds_added_to_a_group_train_the_code_of_the_group(cli, train, store, arch, path):
    assert train("--arch", arch, "--seeds", "0,1", "--name", "g").code == 0
    change_own(path)
    answer = cli("run", "--group", "g", "--seeds", "2", "--arch", arch)
    assert answer.code == 0, answer.err
    assert CHANGED in answer.err
    assert len({read_source(run.folder).digest for run in store.find_all("g")}) == 1
    assert cli("show", "g", "--json").json["varying"] == []


def test_runs_of_one_name_and_other_code_are_of_two_recipes(cli, train, arch, path):
    for name in ("first", "second"):
        assert train("--arch", arch, "--name", name).code == 0
        change_own(path)
    differences = cli("compare", "first", "second", "--json").json["config_differences"]
    assert differences.keys() == {"code"}
    assert len(set(differences["code"])) == 2


def test_a_sweep_that_is_continued_trains_the_code_that_it_began_with(cli, store, arch, path, named, refused):
    options = ("--dataset", "mnist-5k", "--limit-train", "256", "--limit-test", "100", "--batch-size", "128")
    options += ("--epochs", "1", "--device", "cpu", "--jobs", "1", "--study", "s", "--arch", arch, "--lr", "0.01,0.02")
    assert cli("sweep", *options, "--sampler", "grid", "--trials", "1").code == 0
    change_own(path)
    answer = cli("sweep", "--study", "s", "--trials", "2")
    assert answer.code == 0, answer.err
    assert "net.py has changed since the study began" in answer.err
    runs = store.runs()
    assert len(runs) == 2
    assert len({read_source(run.folder).digest for run in runs}) == 1
    shutil.rmtree(named)
    refused(cli("sweep", "--study", "s", "--trials", "2"), 2, "was not made from files of this machine")


def test_code_that_ends_its_process_ends_no_command(cli, train, store, tmp_path, digit, monkeypatch):
    path = tmp_path / "net.py"
    path.write_text(
        "import os\nfrom torch import nn\nclass Net(nn.Sequential):\n"
        "    def __init__(self):\n        super().__init__(nn.Flatten(), nn.Linear(784, 10))\n"
        "        if 'LEAVE' in os.environ:\n            os._exit(7)\n"
    )
    arch = f"{path}:Net"
    assert train("--arch", arch, "--name", "own").code == 0
    monkeypatch.setenv("LEAVE", "now")
    for words in (["predict", "own", digit], ["verify", "own"], ["export", "own", "-f", "onnx", "-o", tmp_path / "x"]):
        done = cli(*words, "--arch", arch)
        assert (done.code, "left with exit code 7" in done.err) == (2, True)
    assert not (tmp_path / "x").exists()


def test_a_network_that_makes_a_layer_as_it_runs_and_ends_in_a_softmax_is_trained_scored_and_told_of(
    cli, train, store, path, digit
):
    path.write_text(ODD)
    answer = train("--arch", f"{path}:Net", "--name", "odd", "--epochs", "2")
    assert answer.code == 0, answer.err
    assert "the network ends in a softmax, which the loss has in it: it learns better without" in answer.err
    assert "the network ends in a softmax" in cli("archs", "show", f"{path}:Net").out
    assert len(cli("archs", "show", f"{path}:Net", "--json").json["remarks"]) == 1
    run = store.find("odd")
    assert run.view().started.total_params == 104 + 1450
    assert "the network ends in a softmax" in run.view().started.note
    assert cli("verify", "odd", "--arch", f"{path}:Net").code == 0
    assert cli("predict", "odd", digit, "--arch", f"{path}:Net").code == 0
