"""Of a file only what the network needs is run."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.errors import InvalidValue
from core.models.own.load import load_own_module

NET = """
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, WIDTH))
"""

NEEDED = {
    "a constant": "WIDTH = 10" + NET,
    "a constant below": NET + "WIDTH = 10",
    "constants of constants": "A = 2\nB = A * 5\nWIDTH = B" + NET,
    "a tuple": "(A, WIDTH), *rest = (1, 10), 3, 4" + NET,
    "an augmented assignment": "WIDTH = 4\nWIDTH += 6" + NET,
    "an annotated one": "WIDTH: int = 10" + NET,
    "a walrus": "print(WIDTH := 10)\n" + NET,
    "a branch": "if torch.cuda.is_available() or True:\n    WIDTH = 10\nelse:\n    WIDTH = 11" + NET,
    "the other branch": "if 1 > 2:\n    WIDTH = 11\nelif 2 > 3:\n    WIDTH = 12\nelse:\n    WIDTH = 10" + NET,
    "a branch that changes its own condition": "WIDTH = None\nif WIDTH is None:\n    WIDTH = 9\n    WIDTH += 1" + NET,
    "a try": "try:\n    import no_such_package_x as x\n    WIDTH = x.y\nexcept ImportError:\n    WIDTH = 10" + NET,
    "a flag of a try": "try:\n    import no_such_package_x\n    HAS = True\nexcept ImportError:\n    HAS = False\n"
    "WIDTH = 11 if HAS else 10" + NET,
    "a with": "import contextlib\nwith contextlib.suppress(ValueError):\n    WIDTH = 10" + NET,
    "a loop": "WIDTH = 0\nfor i in range(4):\n    WIDTH += i + 1" + NET,
    "a list that a loop fills": "SIZES = []\nfor i in (10, 20):\n    SIZES.append(i)\nWIDTH = SIZES[0]" + NET,
    "a while": "WIDTH = 1\nwhile WIDTH < 10:\n    WIDTH += 3" + NET,
    "a match": "MODE = 'a'\nmatch MODE:\n    case 'a':\n        WIDTH = 10" + NET,
    "a dict that is changed": "CFG = {}\nCFG['width'] = 10\nCFG.update(a=1)\nWIDTH = CFG['width']" + NET,
    "a nested one": "CFG = {'a': {}}\nCFG['a']['b'] = 10\nWIDTH = CFG['a']['b']" + NET,
    "an object's attribute": "class Config: pass\nConfig.width = 10\ncfg = Config()\ncfg.width = 10\n"
    "WIDTH = cfg.width" + NET,
    "a function": "def width():\n    return helper()\ndef helper():\n    return TEN\nTEN = 10\nWIDTH = width()" + NET,
    "a global that a function sets": "def setup():\n    global WIDTH\n    WIDTH = 10\nsetup()" + NET,
    "a registry": "SIZES = {}\ndef register(f):\n    SIZES[f.__name__] = f\n    return f\n@register\ndef ten():\n"
    "    return 10\nWIDTH = SIZES['ten']()" + NET,
    "a registry with arguments": "SIZES = {}\ndef register(name):\n    def inner(f):\n        SIZES[name] = f\n"
    "        return f\n    return inner\n@register('x')\ndef ten():\n    return 10\nWIDTH = SIZES['x']()" + NET,
    "a registry's method": "class Sizes(dict):\n    def register(self, name):\n        def inner(f):\n"
    "            self[name] = f\n            return f\n        return inner\nSIZES = Sizes()\n@SIZES.register('x')\n"
    "def ten():\n    return 10\nWIDTH = SIZES['x']()" + NET,
    "a base that knows its subclasses": "class Base:\n    known = {}\n    def __init_subclass__(cls):\n"
    "        Base.known[cls.__name__] = cls\nclass More(Base):\n    pass\nclass Ten(More):\n    width = 10\n"
    "WIDTH = Base.known['Ten'].width" + NET,
    "a metaclass that knows its classes": "KNOWN = {}\nclass Meta(type):\n    def __init__(cls, *a):\n"
    "        KNOWN[cls.__name__] = cls\nclass Base(metaclass=Meta):\n    pass\nclass Ten(Base):\n    width = 10\n"
    "def find(base=Base):\n    return KNOWN['Ten'].width\nWIDTH = find()" + NET,
    "one import of several": "import no_such_package_x, math, os.path as p\nfrom math import floor, no_such_thing_x\n"
    "WIDTH = floor(math.sqrt(100)) if p else 1" + NET,
    "arguments that are given": "import argparse\nparser = argparse.ArgumentParser()\n"
    "parser.add_argument('--width', default=10)\nargs = parser.parse_args([])\nWIDTH = args.width" + NET,
    "a bad escape": "WIDTH = len('\\d' * 5)" + NET,
    "one of two packages": "from no_such_package_x import *\nfrom math import *\nWIDTH = floor(10.5)" + NET,
    "a lambda": "width = lambda: TEN\nTEN = 10\nWIDTH = width()" + NET,
    "a comprehension": "A = [5, 5]\nWIDTH = sum(a for a in A)" + NET,
    "a name by its text": "WIDTH_A = 10\ndef width():\n    return globals()['WIDTH_' + 'A']\nWIDTH = width()" + NET,
    "an evaluated text": "TEN = 10\nWIDTH = eval('TEN')" + NET,
    "a dataclass": "from dataclasses import dataclass, field\n@dataclass\nclass Config:\n    width: 'int' = 10\n"
    "    more: list = field(default_factory=list)\nWIDTH = Config().width" + NET,
    "an enum": "from enum import Enum\nclass Size(Enum):\n    TEN = 10\nWIDTH = Size.TEN.value" + NET,
    "a named tuple": "from typing import NamedTuple\nclass Size(NamedTuple):\n    width: int = 10\n"
    "WIDTH = Size().width" + NET,
    "the path of the file": "import os\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
    "WIDTH = 10 if os.path.exists(os.path.join(HERE, 'net.py')) else 1" + NET,
    "the name of the file": "WIDTH = 10 if __name__ != '__main__' else 1" + NET,
    "futures": NET + "WIDTH = 10",
    "a name of the main block": NET + "if __name__ == '__main__':\n    WIDTH = 10",
}


@pytest.mark.parametrize("kind", NEEDED)
def test_what_the_network_needs_is_run(kind, file, load):
    assert load(file(NEEDED[kind]))[1].out_features == 10


OTHER = {
    "a base": "class Base(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.fc = nn.Linear(784, 10)\nclass Net(Base):\n    def forward(self, x):\n"
    "        return self.fc(x.flatten(1))",
    "a decorator": "def named(cls):\n    cls.title = 'x'\n    return cls\n@named\nclass Net(nn.Sequential):\n"
    "    def __init__(self):\n        assert self.title\n        super().__init__(nn.Flatten(), nn.Linear(784, 10))",
    "defaults": "W = 10\nclass Net(nn.Sequential):\n    def __init__(self, w=W):\n"
    "        super().__init__(nn.Flatten(), nn.Linear(784, w))",
    "a class attribute": "W = 10\nclass Net(nn.Sequential):\n    width = W\n    def __init__(self):\n"
    "        super().__init__(nn.Flatten(), nn.Linear(784, self.width))",
    "a monkey patch of torch": "def ten(self):\n    return 10\nnn.Module.ten_for_the_tests = ten\n"
    "class Net(nn.Sequential):\n    def __init__(self):\n        nn.Module.__init__(self)\n"
    "        self.a, self.b = nn.Flatten(), nn.Linear(784, self.ten_for_the_tests())",
    "a patch of the class": "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.fc = nn.Linear(784, 10)\ndef forward(self, x):\n    return self.fc(x.flatten(1))\n"
    "Net.forward = forward",
    "a patch with setattr": "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.fc = nn.Linear(784, 10)\ndef forward(self, x):\n    return self.fc(x.flatten(1))\n"
    "setattr(Net, 'forward', forward)",
    "two of one name": "class Net(nn.Module):\n    pass\nclass Net(nn.Sequential):\n    def __init__(self):\n"
    "        super().__init__(nn.Flatten(), nn.Linear(784, 10))",
    "another name of it": "class Linear(nn.Sequential):\n    def __init__(self):\n"
    "        super().__init__(nn.Flatten(), nn.Linear(784, 10))\nNet = Linear",
    "a generated class": "def make(n):\n    class Made(nn.Sequential):\n        def __init__(self):\n"
    "            super().__init__(nn.Flatten(), nn.Linear(784, n))\n    return Made\nNet = make(10)",
    "a class in a branch": "if True:\n    class Net(nn.Sequential):\n        def __init__(self):\n"
    "            super().__init__(nn.Flatten(), nn.Linear(784, 10))\n    raise SystemExit('not for the network')",
    "a class in a try": "try:\n    class Net(nn.Sequential):\n        def __init__(self):\n"
    "            super().__init__(nn.Flatten(), nn.Linear(784, 10))\nfinally:\n    pass",
    "a metaclass": "class Meta(type):\n    pass\nclass Net(nn.Sequential, metaclass=Meta):\n    def __init__(self):\n"
    "        super().__init__(nn.Flatten(), nn.Linear(784, 10))",
    "a generic": "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass Net(nn.Sequential, Generic[T]):\n"
    "    def __init__(self):\n        super().__init__(nn.Flatten(), nn.Linear(784, 10))",
    "an annotation nobody can resolve, evaluated late": "from __future__ import annotations\n"
    "class Net(nn.Sequential):\n    x: NoSuchThing\n    def __init__(self) -> Nothing:\n"
    "        super().__init__(nn.Flatten(), nn.Linear(784, 10))",
    "a script of TorchScript": "class Body(nn.Sequential):\n    def __init__(self):\n"
    "        super().__init__(nn.Flatten(), nn.Linear(784, 10))\nNet = Body",
}


@pytest.mark.parametrize("kind", OTHER)
def test_what_the_class_is_made_of_is_run(kind, file, load):
    text = OTHER[kind]
    head = "" if "__future__" in text else "import torch\nfrom torch import nn\n"
    text = text.replace("annotations\n", "annotations\nfrom torch import nn\n", 1) if not head else text
    assert load(file(text, head=head))(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


PLAIN = """
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))
"""
RAN = "__import__('pathlib').Path(__file__).with_name('ran').touch()"

NOT_RUN = {
    "training": "model = Net()\nopt = torch.optim.SGD(model.parameters(), 0.1)\nfor epoch in range(3):\n"
    "    opt.zero_grad()\n    RAN\n",
    "a function that trains, called": "def train(model):\n    RAN\nmodel = Net()\ntrain(model)",
    "what prints": "print(Net())\nprint(RAN)",
    "an assertion": "assert RAN",
    "an exit": "import sys\nRAN\nsys.exit(0)",
    "an error": "RAN\nraise RuntimeError('not for the network')",
    "arguments": "import argparse\nparser = argparse.ArgumentParser()\nRAN\nargs = parser.parse_args()",
    "the main block": "if __name__ == '__main__':\n    RAN\n    Net()",
    "a data set": "from torchvision import datasets\ndata = datasets.MNIST(str(RAN), download=True)",
    "a question": "name = input(RAN)",
    "all of an unneeded package": "from no_such_package_x import *\nRAN",
    "an unneeded package": "import no_such_package_x\nfrom no_such_package_y.z import *\nno_such_package_x.go()\nRAN",
    "a plot": "import matplotlib.pyplot as plt\nplt.plot([1])\nRAN",
    "a loop for ever": "while True:\n    RAN",
    "a thread": "import threading\nthreading.Thread(target=lambda: RAN).start()",
    "an unneeded broken constant": "X = [RAN][1]",
    "a shell": "import os\nos.system('true'); RAN",
}


@pytest.mark.parametrize("kind", NOT_RUN)
@pytest.mark.parametrize("above", [True, False])
def test_what_the_network_does_not_need_is_not_run(kind, above, file, load):
    other = NOT_RUN[kind].replace("RAN", RAN)
    if above and "Net" in other:
        pytest.skip("it needs the class")
    path = file(other + PLAIN if above else PLAIN + other)
    assert load(path)[1].out_features == 10
    assert not path.with_name("ran").exists()


def test_a_missing_package_does_no_harm_where_only_methods_use_it_that_are_not_called(file, load):
    path = file(f"from torchsummary_x import summary\n{PLAIN}\n    def show(self):\n        summary(self, (1, 28, 28))")
    assert load(path)[1].out_features == 10
    with pytest.raises(NameError):
        load(path).show()


def test_a_missing_package_that_the_network_needs_is_named_with_a_way_to_have_it(file, load):
    for line, use, named, way in [
        ("import cv2_x", "cv2_x.resize", "needs cv2_x, which is not installed", "pip install cv2_x, or put cv2_x.py"),
        ("from yaml_x.y import load", "load(1)", "needs yaml_x", "pip install yaml_x"),
        ("import sklearn.no_such_part as s", "s.x", "needs sklearn", "pip install scikit-learn"),
    ]:
        path = file(
            f"{line}\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        {use}\n"
        )
        with pytest.raises(InvalidValue, match=named) as caught:
            load(path)
        assert way in caught.value.hint


def test_a_missing_package_of_which_all_is_imported_is_named_where_it_is_needed(file, load):
    path = file("from no_such_package_x import *\nclass Net(Base):\n    pass\n")
    with pytest.raises(InvalidValue, match=r"net.py:4: from no_such_package_x import \*: needs no_such_package_x"):
        load(path)


def test_a_setting_read_from_the_command_line_is_named_and_all_of_the_file_can_be_run(file, load):
    text = """
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=10)
    args = parser.parse_args()
    cuda = args.width > 3
    class Net(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Flatten(), nn.Linear(784, args.width))
    """
    path = file(text)
    with pytest.raises(InvalidValue) as caught:
        load(path)
    assert "net.py:12: super().__init__(" in caught.value.message
    assert "needs args, made at net.py:8 (args = parser.parse_args()), which is not run" in caught.value.message
    assert "run whole file" in caught.value.hint
    assert load(path, whole_file=True)[1].out_features == 10


def test_all_of_a_file_is_run_on_request_and_its_exit_is_one_line(file, load, presentable):
    path = file(PLAIN + "torch.manual_seed(1)\nDONE = open(__file__ + '.ran', 'w').close()\n")
    load(path, whole_file=True)
    assert path.with_name("net.py.ran").exists()
    path = file(PLAIN + "import sys\nsys.exit('no data here')\n")
    with pytest.raises(InvalidValue) as caught:
        load(path, whole_file=True)
    presentable(caught.value.message, "net.py:9: sys.exit('no data here'): SystemExit: no data here")


def test_a_constant_that_fails_is_told_by_who_needs_it(file, load):
    path = file("SIZES = [1, 2]\nWIDTH = SIZES[7]\n" + NET)
    with pytest.raises(InvalidValue) as caught:
        load(path)
    assert "net.py:5: WIDTH = SIZES[7]: IndexError: list index" in caught.value.message


INSTANCES = {
    "as it is made": "net = Net()",
    "in a list of statements": "net = nn.Sequential()\nnet.add_module('a', nn.Flatten())\n"
    "net.add_module('b', nn.Linear(784, 10))",
    "moved": "device = torch.device('cuda')\nnet = Net().to(device)",
    "moved later": "net = Net()\nnet.cuda()\nnet = net.to('cuda:0')",
    "trained later": "net = Net()\ndef train(net):\n    for p in net.parameters():\n"
    "        p.backward()\n    return net\n"
    "net = train(net)\nnet(torch.ones(2, 1, 28, 28)).sum().backward()",
    "in the main block": "if __name__ == '__main__':\n    net = Net()\n    raise SystemExit",
    "initialised": "def init(net):\n    for p in net.parameters():\n        nn.init.constant_(p, 0.5)\n"
    "net = Net()\ninit(net)",
    "with a layer of its own": "net = Net()\nnet[1] = nn.Linear(784, 10, bias=False)",
    "by an in-place function": "net = Net()\nnn.init.zeros_(net[1].weight)",
    "frozen": "net = Net()\nfor p in net[1].parameters():\n    p.requires_grad_(True)",
    "from a table": "NETS = {'a': Net}\nnet = NETS['a']()",
}


@pytest.mark.parametrize("kind", INSTANCES)
def test_a_network_made_at_the_top_level_can_be_named(kind, file, load):
    net = load(file(PLAIN + INSTANCES[kind]), "net")
    assert isinstance(net, nn.Module)
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert all(parameter.device.type == "cpu" for parameter in net.parameters())
    match kind:
        case "initialised":
            assert net[1].weight.unique().tolist() == [0.5]
        case "with a layer of its own":
            assert net[1].bias is None
        case "by an in-place function":
            assert not net[1].weight.any()


def test_tracebacks_and_sources_are_those_of_the_file(file):
    import inspect

    own = load_own_module(f"{file(PLAIN)}:Net", seed=0)
    assert inspect.getsource(type(own.module)).strip() == PLAIN.strip()
    assert type(own.module).__init__.__code__.co_firstlineno == 6
    assert own.module.__module__.endswith(".net")
