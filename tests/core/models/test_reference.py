"""How a network of one's own is named."""

import pytest

from core.errors import InvalidValue
from core.models.reference import is_reference, parse_reference, split_archs, split_reference


@pytest.mark.parametrize(
    ("arch", "file", "call"),
    [
        ("net.py:Net", "net.py", "Net"),
        ("net.py", "net.py", ""),
        ("net.py:", "net.py", ""),
        ("C:\\nets\\mine.py:Net", "C:\\nets\\mine.py", "Net"),
        ("C:/nets/mine.ipynb:Net(3)", "C:/nets/mine.ipynb", "Net(3)"),
        ("../my nets (old)/net.py:Net(width=12)", "../my nets (old)/net.py", "Net(width=12)"),
        ("a:b/net.py:Net", "a:b/net.py", "Net"),
        ("x.py:y/net.py:Net", "x.py:y/net.py", "Net"),
        ("net.py:Net(file='other.py:Net')", "net.py", "Net(file='other.py:Net')"),
        ("net.py:Net(cfg={'a': 1})", "net.py", "Net(cfg={'a': 1})"),
        ("net.py:models.Net(1)", "net.py", "models.Net(1)"),
        ("lenet.pyt.py:Net", "lenet.pyt.py", "Net"),
        ("größe.py:Größe", "größe.py", "Größe"),
    ],
)
def test_the_colon_between_file_and_name_is_found(arch, file, call):
    assert is_reference(arch)
    assert split_reference(arch) == (file, call)


@pytest.mark.parametrize("arch", ["c8 gap fc10", "conv9", "net.txt:Net", "net.pyc:Net", "python:Net", ""])
def test_what_names_no_file_of_python_is_no_module(arch):
    assert not is_reference(arch)


def test_arguments_are_literals_by_place_and_by_name():
    reference = parse_reference("net.py:Net(12, -1.5, (1, [2]), norm=\"gn\", drop=None, cfg={'a': 1, 'b': {True}})")
    assert reference.name == "Net"
    assert reference.arguments == (
        (12, -1.5, (1, [2])),
        {"norm": "gn", "drop": None, "cfg": {"a": 1, "b": {True}}},
    )
    assert parse_reference("net.py:small()").arguments == ((), {})
    assert parse_reference("net.py:small").arguments is None
    assert parse_reference("net.py:nets.small()").name == "nets.small"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("Net(width=WIDTH)", "WIDTH is not a literal"),
        ("Net(open('x'))", "open('x') is not a literal"),
        ("Net(2**9)", "2 ** 9 is not a literal"),
        ("Net(*[1, 2])", "is not a literal"),
        ("Net(**{'a': 1})", "is not a literal"),
        ("Net(f'{x}')", "is not a literal"),
        ("Net(width=12", "Net(width=12 is not the name"),
        ("Net()()", "Net()() is not the name"),
        ("Net[0]", "is not the name"),
        ("lambda: 1", "is not the name"),
        ("1", "1 is not the name"),
        ("Net Other", "is not the name"),
        ("(" * 300, "is not the name"),
        ("Net(a=1, a=2)", "is not the name"),
    ],
)
def test_what_is_no_name_or_no_literal_is_refused(call, named, presentable):
    with pytest.raises(InvalidValue) as caught:
        parse_reference(f"net.py:{call}")
    assert caught.value.hint
    presentable(caught.value.message, named)


@pytest.mark.parametrize(
    ("text", "archs"),
    [
        ("conv9,conv5", ["conv9", "conv5"]),
        ("net.py:Net(8, norm='a,b'),net.py:Net(16),conv9", ["net.py:Net(8, norm='a,b')", "net.py:Net(16)", "conv9"]),
        ("net.py:Net(cfg={'a': [1,2]}), c8 gap fc10", ["net.py:Net(cfg={'a': [1,2]})", " c8 gap fc10"]),
        ("net.py:Net('\\'),'),conv9", ["net.py:Net('\\'),')", "conv9"]),
        ("joe's/net.py:Net,conv9", ["joe's/net.py:Net", "conv9"]),
        ("a(1.py:Net,conv9", ["a(1.py:Net", "conv9"]),
        ("c8 res(c8p1 c8p1l) gap fc10,conv9", ["c8 res(c8p1 c8p1l) gap fc10", "conv9"]),
        ("conv9", ["conv9"]),
    ],
)
def test_commas_separate_architectures_but_not_within_arguments(text, archs):
    assert list(split_archs(text)) == archs
