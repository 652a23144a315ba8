"""A file of somebody imports the files around it, as Python would, without harm to anybody else's."""

from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import replace

import pytest
import torch

import core.models
from core.errors import InvalidValue
from core.models.own.load import load_own_module

PART = "import torch.nn as nn\ndef body(n=10):\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, n))\nTEN = 10\n"
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = {}
    def forward(self, x):
        return self.body(x)
"""

LAYOUTS = {
    "a file beside it": ({"layers.py": PART}, "from layers import body", "body()"),
    "by its name": ({"layers.py": PART}, "import layers", "layers.body(layers.TEN)"),
    "by another name": ({"layers.py": PART}, "import layers as l", "l.body()"),
    "all of it": ({"layers.py": PART}, "from layers import *", "body(TEN)"),
    "all of what imports all": (
        {"layers.py": "from more import *\nfrom more import TEN as ELEVEN\n", "more.py": PART},
        "from layers import *",
        "body(TEN)",
    ),
    "all that it lists": (
        {"layers.py": "__all__ = ['_hidden']\n" + PART + "def _hidden():\n    return body()\n"},
        "from layers import *",
        "_hidden()",
    ),
    "a package beside it": (
        {"parts/__init__.py": "", "parts/layers.py": PART},
        "from parts.layers import body",
        "body()",
    ),
    "a package that gathers": (
        {"parts/__init__.py": "from .layers import body\nfrom . import layers\n", "parts/layers.py": PART},
        "import parts",
        "parts.body(parts.layers.TEN)",
    ),
    "a module of a package": (
        {"parts/__init__.py": "raise SystemExit('not needed')", "parts/layers.py": PART},
        "from parts import layers",
        "layers.body()",
    ),
    "a dotted name": ({"parts/__init__.py": "", "parts/layers.py": PART}, "import parts.layers", "parts.layers.body()"),
    "a folder without an init": ({"parts/layers.py": PART}, "from parts.layers import body", "body()"),
    "a folder in a folder": ({"a/b/layers.py": PART}, "from a.b import layers", "layers.body()"),
    "relative": ({"layers.py": PART}, "from .layers import body", "body()"),
    "relative to the package": ({"layers.py": PART}, "from . import layers", "layers.body()"),
    "relative, one up": ({"../layers.py": PART}, "from ..layers import body", "body()"),
    "relative, within packages": (
        {"__init__.py": "", "../__init__.py": "", "../layers.py": PART},
        "from ..layers import body",
        "body()",
    ),
    "the package from outside": ({"__init__.py": "", "layers.py": PART}, "from inner.layers import body", "body()"),
    "the folder from outside": ({"layers.py": PART}, "from inner.layers import body", "body()"),
    "the project": ({"../pyproject.toml": "", "../tools/layers.py": PART}, "from tools.layers import body", "body()"),
    "a src layout": ({"../setup.py": "", "../src/parts/layers.py": PART}, "from parts.layers import body", "body()"),
    "a src beside it": ({"src/parts.py": PART}, "from parts import body", "body()"),
    "src by its name": ({"src/parts.py": PART}, "from src.parts import body", "body()"),
    "a path that it adds": (
        {"../lib/layers.py": PART},
        "import os, sys\nsys.path.append(os.path.join(os.path.dirname(__file__), '..', 'lib'))\n"
        "from layers import body",
        "body()",
    ),
    "a relative path that it adds": (
        {"../lib/layers.py": PART},
        "import sys\nsys.path.insert(0, '../lib')\nfrom layers import body",
        "body()",
    ),
    "in a circle": (
        {"layers.py": "from net import TWENTY\n" + PART + "def half():\n    return body(TWENTY // 2)\n"},
        "TWENTY = 20\nfrom layers import half",
        "half()",
    ),
    "within the constructor": ({"layers.py": PART}, "", "__import__('layers').body()"),
    "by importlib": ({"layers.py": PART}, "import importlib", "importlib.import_module('layers').body()"),
    "by importlib, relative": (
        {"__init__.py": "", "layers.py": PART},
        "from importlib import import_module",
        "import_module('.layers', __package__).body()",
    ),
    **{
        f"a file called {name}": ({f"{name}.py": PART}, f"from {name} import body", "body()")
        for name in ("core", "tui", "experiments", "utils", "models", "data", "random", "train", "layers", "test")
    },
    "a package called core": (
        {"core/__init__.py": "", "core/models.py": PART},
        "from core.models import body\nimport core.models",
        "core.models.body()",
    ),
    "a folder called core": ({"core/models.py": PART}, "from core.models import body", "body()"),
    "a folder called experiments, above": (
        {"../experiments/layers.py": PART, "../.git": ""},
        "from experiments.layers import body",
        "body()",
    ),
    "a file called torch": (
        {"torch.py": "raise SystemExit"},
        "import torch",
        "nn.Sequential(nn.Flatten(), nn.Linear(784, 10))",
    ),
    "a folder called random": (
        {"random/notes.txt": ""},
        "import random",
        "nn.Sequential(nn.Flatten(), nn.Linear(784, random.choice([10])))",
    ),
}


@pytest.fixture
def lay(tmp_path):
    """Writes the files of a layout around ``inner/net.py``."""

    def write(kind):
        files, imports, body = LAYOUTS[kind]
        folder = tmp_path / "outer" / "inner"
        folder.mkdir(parents=True)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        path = folder / "net.py"
        path.write_text(f"import torch.nn as nn\n{imports}\n{NET.format(body)}")
        return path

    return write


@pytest.mark.parametrize("kind", LAYOUTS)
def test_what_lies_around_is_imported(kind, lay, load):
    before, path = dict(sys.modules), list(sys.path)
    net = load(lay(kind))
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert sys.path == path
    assert {name for name, module in before.items() if sys.modules.get(name) is not module} == set()
    assert not {"layers", "parts", "net", "inner", "lib"} & sys.modules.keys()
    assert sys.modules["core.models"] is core.models


@pytest.mark.parametrize("kind", LAYOUTS)
def test_the_files_that_were_loaded_are_enough_to_load_it_again_anywhere(kind, lay, tmp_path):
    path = lay(kind)
    own = load_own_module(f"{path}:Net", seed=3)
    source = own.source
    for file in own.files:
        file.unlink()
    for root in (source.root, tmp_path / "elsewhere"):
        again = load_own_module(f"{path}:Net", seed=3, files=replace(source, root=root))
        assert again.source.digest == source.digest
        assert torch.equal(again.module.body[1].weight, own.module.body[1].weight)


def test_two_files_in_two_folders_each_have_their_own_siblings_for_ever(file, load):
    text = """
    from layers import WIDTH
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(784, WIDTH)
        def forward(self, x):
            import layers
            from layers import late
            return late(self.fc(x.flatten(1))), layers.WIDTH
    """
    nets = []
    for width in (10, 11):
        file(f"WIDTH = {width}\ndef late(x):\n    import more\n    return x * more.F\n", f"{width}/layers.py")
        file(f"F = {width}\n", f"{width}/more.py")
        nets.append(load(file(text, f"{width}/net.py")))
    for net, width in [*zip(nets, (10, 11), strict=True), *zip(nets, (10, 11), strict=True)]:
        output, same = copy.deepcopy(net)(torch.ones(1, 1, 28, 28))
        assert same == width == output.shape[1]
        assert torch.equal(output, net.fc(torch.ones(1, 784)) * width)


def test_classes_of_a_file_and_of_what_it_imports_can_be_pickled(file, load):
    file("class Part(nn.Linear):\n    pass\n", "layers.py")
    net = load(
        file(
            "from layers import Part\nclass Net(nn.Sequential):\n    def __init__(self):\n"
            "        super().__init__(nn.Flatten(), Part(784, 10))\n"
        )
    )
    again = pickle.loads(pickle.dumps(net))
    assert type(again) is type(net)
    assert type(again[1]) is type(net[1])


def test_a_sibling_that_is_changed_is_read_anew(file, load):
    path = file(
        "from layers import W\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(2, W)\n"
    )
    for width in (3, 4):
        file(f"W = {width}", "layers.py", head="")
        assert load(path).out_features == width


def test_only_what_is_needed_of_a_sibling_is_run(file, load):
    file("import no_such_package_x\nW = 10\nraise SystemExit('trained')\n", "layers.py")
    path = file(
        "from layers import W\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(2, W)\n"
    )
    assert load(path).out_features == 10
    with pytest.raises(InvalidValue, match=r"layers.py:4: import no_such_package_x: needs no_such_package_x"):
        load(path, whole_file=True)


def test_a_file_named_as_what_it_imports_gets_the_other_one(file, load):
    path = file(
        "import random\nclass Net(nn.Linear):\n    def __init__(self):\n"
        "        super().__init__(2, random.choice([7]))\n",
        "random.py",
    )
    assert load(path).out_features == 7


@pytest.mark.parametrize("name", ["my net.py", "1-first.py", "net.v2.py", "größe.py", "class.py", "a folder.d/net.py"])
def test_files_and_folders_have_any_name(name, file, load):
    path = file(
        "from .layers import W\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(2, W)\n", name
    )
    (path.parent / "layers.py").write_text("W = 4\n")
    (path.parent / "__init__.py").touch()
    assert load(path).out_features == 4


def test_what_is_missing_beside_a_file_is_told_with_the_line(file, load, presentable):
    path = file(
        "from layers_x import W\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(2, W)\n"
    )
    with pytest.raises(InvalidValue) as caught:
        load(path)
    presentable(caught.value.message, "net.py:4: from layers_x import W: needs layers_x, which is not installed")
    assert caught.value.hint == "run pip install layers_x, or put layers_x.py beside the file"


@pytest.mark.parametrize(
    ("sibling", "named"),
    [
        ("W = (", "layers.py:1: W = (: SyntaxError: '(' was never closed"),
        ("if 1:\nW = 1", "layers.py:2: W = 1: IndentationError: expected an indented block"),
        ("V = 1", "cannot import name 'W' from 'layers'"),
        ("W = 1 / 0", "layers.py:1: W = 1 / 0: ZeroDivisionError: division by zero"),
        ("from net import Q as W", "cannot import name 'Q' from"),
    ],
)
def test_what_is_wrong_in_a_sibling_is_told_with_its_line(sibling, named, file, load, presentable):
    file(sibling, "layers.py", head="")
    path = file(
        "from layers import W\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(2, W)\n"
    )
    with pytest.raises(InvalidValue) as caught:
        load(path)
    presentable(caught.value.message, named)


def test_a_relative_import_of_nothing_names_the_file_that_is_missing(file, load):
    path = file(
        "from .layers import W\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(2, W)\n"
    )
    with pytest.raises(
        InvalidValue, match=r"net.py:4: from .layers import W: there is no file layers.py and no folder layers"
    ):
        load(path)


def test_a_link_finds_what_lies_beside_the_file(file, load, tmp_path):
    file("W = 6\n", "far/layers.py")
    text = "from layers import W\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(2, W)\n"
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "net.py").symlink_to(file(text, "far/net.py"))
    path = tmp_path / "here" / "net.py"
    assert load(path).out_features == 6
    files = load_own_module(f"{path}:Net", seed=0).source
    again = load_own_module(f"{path}:Net", seed=0, files=replace(files, root=tmp_path / "elsewhere"))
    assert again.module.out_features == 6


def test_a_network_that_imports_ours_on_purpose_gets_ours(file, load):
    net = load(file("from core.models.norm import BatchNorm2d as Net"), "Net(3)")
    assert type(net).__module__ == "core.models.norm"
