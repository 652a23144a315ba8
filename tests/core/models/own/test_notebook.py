"""Classes out of notebooks."""

from __future__ import annotations

import inspect
import json

import pytest
import torch

from core.errors import InvalidValue
from core.models.own.load import load_own_module

NET = """class Net(nn.Module):
    def __init__(self, n=10):
        super().__init__()
        self.fc = nn.Linear(784, n)
    def forward(self, x):
        return self.fc(x.flatten(1))"""


@pytest.fixture
def notebook(tmp_path):
    def write(*cells, **more):
        path = tmp_path / "lesson.ipynb"
        listed = [{"cell_type": "markdown", "source": ["# title\n", "text"]}]
        listed += [{"cell_type": "code", "outputs": [], "source": cell.splitlines(keepends=True)} for cell in cells]
        path.write_text(json.dumps({"cells": listed, "nbformat": 4, "nbformat_minor": 2} | more))
        return path

    return write


CELLS = {
    "plain": ("import torch.nn as nn", NET),
    "magics": ("!pip install x\n%matplotlib inline\nimport torch.nn as nn\n%load_ext a\n", "%%time\n" + NET),
    "continued": ("!pip install \\\n   x \\\n   y\nimport torch.nn as nn", NET),
    "help": ("import torch.nn as nn\nnn.Linear?\n?nn.Conv2d\nnn.Linear??", NET),
    "assigned magics": ("files = !ls\nwhere = %pwd\nimport torch.nn as nn", NET),
    "indented magics": ("import torch.nn as nn\nif True:\n    !ls\n    %cd x\nfor i in (1,):\n    !ls", NET),
    "futures everywhere": (
        "import torch.nn as nn",
        "from __future__ import annotations\n" + NET,
        "from __future__ import division",
    ),
    "cells that are no Python": (
        "%%bash\nls",
        "%%html\n<p>",
        "this is not Python",
        "import torch.nn as nn",
        NET,
        "def (",
    ),
    "captured": ("%%capture out\nimport torch.nn as nn", "%%timeit -n 3\nN = 10", NET),
    "a question": ("import torch.nn as nn", NET, "input('go on?')"),
    "awaited": ("import torch.nn as nn", NET, "await something()", "async for x in y:\n    pass"),
    "returned": ("import torch.nn as nn", NET, "return 3"),
    "raised": ("import torch.nn as nn", NET, "raise SystemExit('run')"),
    "texts that look like magics": (
        "import torch.nn as nn",
        'TEXT = """\n!ls\n%cd\nwhat?\n"""\nassert "!ls" in TEXT\n' + NET,
    ),
    "remainders": ("import torch.nn as nn\nA = 21\nB = (A\n% 11)", NET.replace("n=10", "n=B")),
    "made twice": ("import torch.nn as nn", NET.replace("n=10", "n=3"), NET),
    "an empty cell": ("", "import torch.nn as nn", "", "  \n", NET, ""),
}


@pytest.mark.parametrize("kind", CELLS)
def test_a_class_is_taken_out_of_the_cells(kind, notebook, load):
    assert load(notebook(*CELLS[kind]))(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_factories_instances_and_arguments_work_as_in_a_script(notebook, load):
    path = notebook("import torch.nn as nn", NET, "def small():\n    return Net(3)\nnet = Net(n=4)\nnet.to('cuda')")
    assert [load(path, name).fc.out_features for name in ("Net(2)", "small()", "net")] == [2, 3, 4]


def test_files_beside_a_notebook_are_imported(notebook, load, tmp_path):
    (tmp_path / "layers.py").write_text("N = 10")
    assert (
        load(notebook("import torch.nn as nn\nfrom layers import N", NET.replace("n=10", "n=N"))).fc.out_features == 10
    )


def test_notebooks_of_version_3_and_one_text_a_cell_are_read(notebook, load):
    old = [{"cells": [{"cell_type": "code", "input": f"import torch.nn as nn\n{NET}"}]}]
    assert load(notebook(worksheets=old, cells=[])).fc.out_features == 10
    text = [{"cell_type": "code", "source": f"import torch.nn as nn\r\n{NET}"}]
    assert load(notebook(cells=text)).fc.out_features == 10


@pytest.mark.parametrize(
    ("last", "name", "named"),
    [
        (NET.replace("n)", "n, 3, 4, 5)"), "Net", "lesson.ipynb, cell 3, line 4: self.fc = nn.Linear(784, n, 3, 4, 5)"),
        ("WIDTH = 1 / 0\n" + NET.replace("n=10", "n=WIDTH"), "Net", "lesson.ipynb, cell 3, line 1: WIDTH = 1 / 0"),
        (NET, "Nett", "there is no Nett in lesson.ipynb"),
    ],
)
def test_errors_name_cell_and_line(last, name, named, notebook, presentable):
    path = notebook("import torch.nn as nn", "%%bash\nls\nls", last)
    with pytest.raises(InvalidValue) as caught:
        load_own_module(f"{path}:{name}", seed=0)
    presentable(caught.value.message, named)


def test_what_a_notebook_was_saved_as_has_lines_for_ipython_too(file):
    path = file("!pip install x\n%matplotlib inline\nfiles = !ls\n" + NET)
    with pytest.raises(InvalidValue) as caught:
        load_own_module(f"{path}:Net(0, 0)", seed=0)
    assert "Net(n=10)" in caught.value.hint
    assert load_own_module(f"{path}:Net", seed=0).module.fc.out_features == 10
    with pytest.raises(InvalidValue, match=r"net\.py:5: x = = 3: SyntaxError"):
        load_own_module(f"{file('!ls' + chr(10) + 'x = = 3')}:Net", seed=0)


def test_the_source_of_a_class_is_that_of_its_cell(notebook, load):
    net = load(notebook("!ls\nimport torch.nn as nn", "%%bash\nls", "%%time\n" + NET))
    assert inspect.getsource(type(net)).strip() == NET


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code"}, 3]}', "\xff"])
def test_what_is_no_notebook_is_refused(text, tmp_path):
    path = tmp_path / "lesson.ipynb"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidValue, match="is not a notebook"):
        load_own_module(f"{path}:Net", seed=0)


def test_without_the_class_the_cells_that_were_left_out_are_told(notebook):
    path = notebook("import torch.nn as nn", "%%writefile net.py\n" + NET)
    with pytest.raises(InvalidValue) as caught:
        load_own_module(f"{path}:Net", seed=0)
    assert caught.value.hint == "lesson.ipynb has no nn.Module class; cell 2: %%writefile"
