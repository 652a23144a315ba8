"""An error of somebody's code in one line: file, line, statement, and what happened."""

from __future__ import annotations

import pytest
import torch

from core.errors import InvalidValue
from core.models.own.blame import blame, way_out
from core.models.own.load import load_own_module

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = {layer}
    def forward(self, x):
        return self.layer({input})
"""
IMAGES = "; images here are 1 x 28 x 28"

KINDS = {
    "channels": ("nn.Conv2d(3, 8, 3)", "x", "a convolution wants 3 channels, and its input has 1" + IMAGES),
    "a linear layer": (
        "nn.Linear(9216, 10)",
        "x.flatten(1)",
        "a linear layer wants 9216 values, and its input has 784",
    ),
    "a view": ("nn.Identity()", "x.view(-1, 400)", "1568 values do not make up the shape [-1, 400]" + IMAGES),
    "a kernel": ("nn.Conv2d(1, 8, 30)", "x", "a kernel of 30 x 30 does not fit a map of 28 x 28" + IMAGES),
    "pooling": ("nn.MaxPool2d(2)", "x[:, :, :1, :1]", "pooling leaves nothing of a map of 1x1x1" + IMAGES),
    "a norm": (
        "nn.BatchNorm1d(1)",
        "x[:1, :, 0, 0]",
        "a norm over a single value, which has no deviation: its input is [1, 1]",
    ),
    "an instance norm": ("nn.InstanceNorm2d(1)", "x[:, :, :1, :1]", "a norm over a single value"),
    "a type": ("nn.Linear(784, 10)", "x.flatten(1).double()", "mixes float32 with another type"),
    "a type of convolution": ("nn.Conv2d(1, 1, 1)", "x.double()", "mixes float32 with another type"),
    "a GPU": ("nn.Identity()", "x.cuda()", "asks for a GPU itself; leave that out"),
    "an exception": ("nn.Identity()", "x.nope", "AttributeError: 'Tensor' object has no attribute 'nope'"),
    "an exit": ("nn.Identity()", "exit(3)", "SystemExit: 3"),
    "a question": ("nn.Identity()", "input()", "EOFError: input() is called, and nobody can answer"),
    "a message of several lines": ("nn.Identity()", "int('a\\nb')", "ValueError: invalid literal for int()"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_forward_is_told_in_a_sentence(kind, file, presentable):
    layer, given, sentence = KINDS[kind]
    own = load_own_module(f"{file(NET.format(layer=layer, input=given))}:Net", seed=0)
    with pytest.raises((Exception, SystemExit)) as caught:
        own.module(torch.zeros(2, 1, 28, 28))
    line = blame(caught.value, own.files)
    presentable(line, f"net.py:10: return self.layer({given}): "[:60], sentence)


def test_where_no_line_of_the_file_is_run_the_layer_is_named(file):
    path = file(
        "class Net(nn.Sequential):\n    def __init__(self):\n        super().__init__(nn.Flatten(), nn.Linear(9, 10))\n"
    )
    own = load_own_module(f"{path}:Net", seed=0)
    with pytest.raises(RuntimeError) as caught:
        own.module(torch.zeros(2, 1, 28, 28))
    assert blame(caught.value, own.files) == (
        "Linear(in_features=9, out_features=10, bias=True): a linear layer wants 9 values, and its input has 784"
        + IMAGES
    )


def test_an_error_of_backward_is_told_as_it_is(file):
    text = NET.format(layer="nn.Linear(784, 10)", input="x.flatten(1)").replace("return ", "y = ")
    own = load_own_module(
        f"{file(text + '        y[0] = 0' + chr(10) + '        y = y.sigmoid(); y[0] = 0; return y')}:Net", seed=0
    )
    with pytest.raises(RuntimeError) as caught:
        own.module(torch.zeros(2, 1, 28, 28)).sum().backward()
    assert blame(caught.value, own.files).startswith("RuntimeError: one of the variables needed for gradient")


BROKEN = {
    "syntax": ("class Net(:", "net.py:1: class Net(:: SyntaxError: invalid syntax"),
    "indentation": ("def f():\nreturn 1", "net.py:2: return 1: IndentationError: expected an indented block"),
    "tabs": ("if 1:\n        x = 1\n\ty = 1", "net.py:3: y = 1: TabError: inconsistent use of tabs"),
    "python 2": ("print 'x'", "net.py:1: print 'x': SyntaxError: Missing parentheses"),
    "not UTF-8": (b"x = 1\n# \xe9\n", "net.py:2: SyntaxError: utf-8 has no such character"),
    "an unknown encoding": (b"# coding: nope\n", "unknown encoding"),
    "null bytes": (b"x = 1\0", "net.py: has null bytes"),
    "deep": ("x = " + "(" * 5000 + ")" * 5000, "too many nested parentheses"),
    "UTF-16": ("x = 1".encode("utf-16"), "net.py: is not in UTF-8"),
    "Latin-1": ("# \xe9".encode("latin-1"), "net.py: is not in UTF-8, and does not say in what else: save it in UTF-8"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_python_is_refused_with_its_line(kind, tmp_path, presentable):
    text, named = BROKEN[kind]
    path = tmp_path / "net.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidValue) as caught:
        load_own_module(f"{path}:Net", seed=0)
    presentable(caught.value.message, named)
    assert caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_other_encodings_that_a_file_declares_are_read(encoding, tmp_path, load):
    path = tmp_path / "net.py"
    head = "" if encoding == "utf-8-sig" else "# -*- coding: latin-1 -*-\n"
    path.write_bytes(
        f"{head}import torch\nNAME = 'é'\nclass Net(torch.nn.Linear):\n    def __init__(self):\n"
        "        super().__init__(len(NAME), 2)\n".encode(encoding)
    )
    assert load(path).in_features == 1


def test_a_folder_a_pipe_and_nothing_are_refused(tmp_path):
    import os

    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    for name in ("folder", "pipe", "nothing"):
        with pytest.raises(InvalidValue, match="no such file"):
            load_own_module(f"{tmp_path}/{name}.py:Net", seed=0)


def test_the_innermost_of_several_files_is_told(file):
    file("def block(n):\n    return nn.Linear(n)\n", "layers.py")
    path = file("from layers import block\nclass Net(nn.Module):\n    def __init__(self):\n        self.a = block(3)\n")
    with pytest.raises(InvalidValue) as caught:
        load_own_module(f"{path}:Net", seed=0)
    assert "layers.py:5: return nn.Linear(n): TypeError: " in caught.value.message
    assert "out_features" in caught.value.message


def test_the_way_out_of_a_missing_package_is_to_install_it():
    assert way_out(ModuleNotFoundError(name="cv2")) == "run pip install opencv-python"
    assert way_out(ModuleNotFoundError(name="PIL.Image")) == "run pip install pillow"
    assert way_out(ModuleNotFoundError(name="own3.layers")) != "run pip install own3"


def test_libraries_whose_networks_cannot_be_trained_are_not_to_be_installed():
    for name in ("tensorflow.keras", "flax.linen"):
        assert "networks of PyTorch are trained here" in way_out(ModuleNotFoundError(name=name))


def test_a_file_of_weights_that_is_missing_is_not_needed(file):
    code = "class Net(nn.Linear):\n    pass\nnet = Net(784, 10)\nnet.load_state_dict(torch.load('x.pt'))\n"
    with pytest.raises(InvalidValue) as caught:
        load_own_module(f"{file(code)}:net", seed=0)
    assert caught.value.hint == "put the file there, or name the network's class, which needs none"
