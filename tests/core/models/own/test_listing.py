"""What of a file can be named is told when nothing, or something wrong, is named."""

from __future__ import annotations

import pytest
from torch import nn

from core.errors import InvalidValue
from core.models.own.load import load_own_module

NETS = """
class Block(nn.Module):
    def __init__(self, inputs, outputs=3, *, norm: str = "bn") -> None:
        super().__init__()

class Net(nn.Sequential):
    def __init__(self, width=10):
        super().__init__(nn.Flatten(), nn.Linear(784, width))

class Broken(nn.Module):
    def __init__(self):
        raise RuntimeError("on purpose")

class Lazy(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.LazyLinear(10))

class Config:
    pass

def small():
    return Net(1)

def wide(width):
    return Net(width)

def train():
    open(__file__ + ".ran", "w").close()
    loss.backward()
    return Net()

def helper():
    return 3

net = Net(2)
body = nn.Sequential(nn.Linear(2, 2))
number = 3
SIZES = {"a": Net}
data = torch.utils.data.DataLoader([1])
if __name__ == "__main__":
    train()
"""


def refused(path, name, **options):
    with pytest.raises(InvalidValue) as caught:
        load_own_module(f"{path}:{name}", seed=0, **options)
    return caught.value


def test_without_a_name_all_that_can_be_named_is_listed_with_sizes(file):
    path = file(NETS)
    error = refused(path, "")
    assert error.allowed == "no network is named"
    assert error.hint == (
        "net.py has Net (7,850 parameters), Broken (cannot be made), Lazy (lazy layers), small() (785 parameters), "
        "net (1,570 parameters), body (6 parameters), Block(inputs, outputs=3, *, norm='bn')"
    )
    assert not path.with_name("net.py.ran").exists()
    assert refused(path, "").allowed == error.allowed


def test_a_file_alone_is_a_network_without_a_name(file):
    with pytest.raises(InvalidValue, match="no network is named"):
        load_own_module(str(file(NETS)), seed=0)


@pytest.mark.parametrize(
    ("name", "reason", "hint"),
    [
        ("net_", "there is no net_ in net.py", "did you mean net? "),
        ("NET", "there is no NET in net.py", "did you mean Net? "),
        ("Smal()", "there is no Smal in net.py", "did you mean small()? "),
        ("Block", "Block: missing a required argument: 'inputs'", "net.py:Block(inputs=...)"),
        ("Block(1, 2, 3)", "Block: too many positional arguments", "it is Block(inputs, outputs=3, *, norm='bn')"),
        ("Net(depth=3)", "Net: got an unexpected keyword argument 'depth'", "it is Net(width=10): write net.py:Net()"),
        ("small", "small is a function", "write net.py:small()"),
        ("wide", "wide is a function", "write net.py:wide(width)"),
        ("net()", "net is a network already", "write net.py:net"),
        ("helper()", "helper() returned int, not an nn.Module", "net.py has"),
        ("Config", "Config is not an nn.Module class of net.py", "net.py has"),
        ("Config()", "Config is not an nn.Module class of net.py", "net.py has"),
        ("number", "number is not an nn.Module class of net.py", "net.py has"),
        ("Net.no_such_part", "there is no Net.no_such_part in net.py", "net.py has"),
        (
            "data",
            "data, made at net.py:42 (data = torch.utils.data.DataLoader([1])), which is not run",
            "run whole file",
        ),
    ],
)
def test_what_is_wrong_with_a_name_is_told_with_a_way_out(name, reason, hint, file, presentable):
    error = refused(file(NETS), name)
    presentable(error.message, reason)
    assert hint in error.hint


def test_names_with_dots_are_followed(file, load):
    path = file(NETS + "class Nets:\n    Small = Net\n    @classmethod\n    def make(cls, n):\n        return Net(n)\n")
    assert load(path, "Nets.Small")[1].out_features == 10
    assert load(path, "Nets.make(4)")[1].out_features == 4


def test_partials_and_built_modules_can_be_called(file, load):
    path = file(NETS + "from functools import partial\nfour = partial(Net, width=4)\n")
    assert load(path, "four()")[1].out_features == 4
    assert isinstance(load(path, "nn.Linear(784, 10)"), nn.Linear)


def test_a_file_without_a_network_says_so(file):
    assert refused(file("x = 1\n"), "Net").hint == "net.py has no nn.Module class"


def test_of_a_long_list_the_first_are_told(file):
    path = file(
        "".join(
            f"class Net{n}(nn.Linear):\n    def __init__(self):\n        super().__init__(1, 1)\n" for n in range(20)
        )
    )
    assert refused(path, "").hint.endswith("Net7 (2 parameters) and 12 more")


def test_the_whole_file_is_listed_too(file):
    path = file(NETS.replace("loss.backward()", "").replace("data = ", "").partition("if __name__")[0])
    assert "Net (7,850 parameters)" in refused(path, "", whole_file=True).hint
