"""What people type in place of a spec, from other programs and by other habits, is answered with what to write."""

from __future__ import annotations

import pytest

from core.errors import SpecError
from core.models.grammar.foreign import AS_CODE, LAYERS, STORED, as_layer
from core.models.grammar.table import GRAMMAR
from core.models.grammar.template import parse_template
from core.models.spec import REGISTRY, find, parse

LAYER_BY_LAYER = [
    ("Conv2d(1, 8, 3)", "Conv2d", "a convolution is written c16k3l, and c16k3 with ReLU and batch norm behind it"),
    ("Conv2D(32, kernel_size=(3, 3))", "Conv2D", "a convolution is written c16k3l"),
    ("nn.Conv2d(1, 8, 3)", "nn.Conv2d", "a convolution is written c16k3l"),
    ("Conv2d-1 [-1, 8, 26, 26] 80", "Conv2d-1", "a convolution is written c16k3l"),
    ("conv2d_3 (Conv2D) (None, 26, 26, 8) 80", "conv2d_3", "a convolution is written c16k3l"),
    ("torch.nn.Linear(10)", "torch.nn.Linear", "a fully connected layer is written fc10"),
    ("Dense(10)", "Dense", "a fully connected layer is written fc10"),
    ("keras.layers.MaxPooling2D(2)", "keras.layers.MaxPooling2D", "max pooling is written p2"),
    ("AvgPool2d(2)", "AvgPool2d", "average pooling is written a2"),
    ("nn.AdaptiveAvgPool2d(1)", "nn.AdaptiveAvgPool2d", "global average pooling is written gap"),
    ("BatchNorm2d(8)", "BatchNorm2d", "batch norm is written bn"),
    ("InstanceNorm2d(8)", "InstanceNorm2d", "instance norm is written in"),
    ("nn.ReLU()", "nn.ReLU", "this activation is written relu"),
    ("F.gelu", "F.gelu", "this activation is written gelu"),
    ("ReLU()", "ReLU", "layers are written in small letters: relu"),
    ("LeakyReLU(0.1)", "LeakyReLU", "leaky ReLU is written lrelu0.1"),
    ("Dropout(0.5)", "Dropout", "dropout is written d0.05"),
    ("dropout0.5", "dropout0.5", "dropout is written d0.05"),
    ("nn.Dropout2d()", "nn.Dropout2d", "dropout of whole channels is written dc0.05"),
    ("Flatten()", "Flatten", "flattening is written flat"),
    ("softmax", "softmax", "the softmax is in the loss: a network ends in its logits"),
    ("Sequential(c8 p2)", "Sequential", "is code, not a layer of a spec"),
    ("nn.Transformer(8)", "nn.Transformer", "is code, not a layer of a spec"),
    ("from mynet import Net", "from", "is code, not a layer of a spec"),
]


@pytest.mark.parametrize(("spec", "token", "reason"), LAYER_BY_LAYER)
def test_a_layer_of_pytorch_or_keras_is_answered_with_its_word(spec, token, reason, presentable):
    with pytest.raises(SpecError) as caught:
        find(f"c8 {spec}")
    assert (caught.value.token, caught.value.position) == (token, 2)
    presentable(caught.value.message, reason)


def test_the_words_that_are_named_are_those_of_the_grammar():
    for name, reason in LAYERS.items():
        assert as_layer(name) == reason
        if " is written " in reason:
            word = reason.split(" is written ")[1].split(",")[0]
            assert parse(word).spec == word
    assert not any(as_layer(word) for words in GRAMMAR for word in words.split())


@pytest.mark.parametrize(
    "spec",
    [
        "Conv2d(1, 8, 3)",
        "nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU())",
        "(conv1): Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1))",
        "Net(\n  (0): Linear(in_features=784, out_features=10, bias=True)\n)",
    ],
)
def test_code_is_told_how_a_network_in_code_is_given(spec):
    with pytest.raises(SpecError) as caught:
        find(spec)
    assert caught.value.hint == f"{AS_CODE}; the index of architectures explains every layer"


@pytest.mark.parametrize(
    ("spec", "position", "token", "example"),
    [
        ("c8, c16, p2", 1, "c8,", "c8 p2"),
        ("c8,c16,p2", 1, "c8,c16,p2", "c8 c16 p2"),
        ("c8 -> p2", 2, "->", "c8 p2"),
        ("c8->p2", 1, "c8->p2", "c8 p2"),
        ("c16k1-a2", 1, "c16k1-a2", "c16k1 a2"),
        ("c8;p2", 1, "c8;p2", "c8 p2"),
        ("c8 + p2", 2, "+", "c8 p2"),
        ("c8 \u2192 p2", 2, "\u2192", "c8 p2"),
        ("C8/P2", 1, "C8/P2", "c8 p2"),
        ("c8:p2", 1, "c8:p2", "c8 p2"),
        ("c8 res(c8p1), p2", 6, ",", "c8 p2"),
        ("[c8, c16]", 1, "[c8,", "c8 p2"),
        ("['c8', 'c16']", 1, "['c8',", "c8 p2"),
        ("c8->p2->c16->p2->c16->p2->c16->p2->c16->p2->gap", 1, None, "c8 p2 c16 p2"),
    ],
)
def test_layers_parted_by_other_signs_are_to_be_parted_by_blanks(spec, position, token, example, presentable):
    with pytest.raises(SpecError) as caught:
        find(spec)
    assert caught.value.position == position
    assert token is None or caught.value.token == token
    presentable(caught.value.message, f"layers are parted by blanks, as in {example}")
    assert caught.value.message.endswith(example)


def test_a_sign_that_parts_no_layers_is_told_as_what_it_is():
    for spec, reason in (("c-8", "no such layer"), ("d0,1", "plain digits, as in d0.05"), ("{c8,p2}", "a template")):
        with pytest.raises(SpecError, match=reason):
            find(spec)


def test_a_comma_in_a_template_parts_no_layers():
    with pytest.raises(SpecError, match="layers are parted by blanks; a comma parts the values in braces"):
        parse_template("[c8, c16] gap fc{8:10}")


def test_quotation_marks_are_named():
    with pytest.raises(SpecError, match="layers are written without quotation marks"):
        find('"c8 gap fc10"')


@pytest.mark.parametrize(
    "name", ["mynet.pt", "nets/best.PTH", "a.onnx", "m.h5", "m.keras", "mynet.pt:Net", "/x" * 50 + ".pt"]
)
def test_a_file_of_weights_is_no_network(name, presentable):
    with pytest.raises(SpecError) as caught:
        find(name)
    presentable(caught.value.message, STORED)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("modlist:Net", "the name of its file is without .py"),
        ("nets/modlist:Net(width=8)", "the name of its file is without .py"),
        ("/nets/modlist", "is no spec"),
        ("C:\\nets\\modlist", "is no spec"),
        ("~/modlist.txt", "is no spec"),
        ("mine.txt:Net", "is no spec"),
    ],
)
def test_what_is_like_the_name_of_a_file_is_told_how_a_file_is_named(name, reason, presentable):
    with pytest.raises(SpecError) as caught:
        find(name)
    presentable(caught.value.message, f"{reason}; {AS_CODE}")


@pytest.mark.parametrize("name", REGISTRY)
def test_blanks_around_a_named_network_do_not_count(name):
    for typed in (f"{name} ", f" {name}", f"\t{name}\n"):
        assert find(typed) == find(name)


def test_an_unknown_name_may_be_that_of_a_preset():
    with pytest.raises(SpecError) as caught:
        find("tiny-5k")
    assert caught.value.hint.endswith("if a preset is meant, the index of presets lists them")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["c8,", "-", "a.", "nn.", "9", "d9", "'", "/", "x:", "conv2d-"])
def test_a_very_long_word_is_refused_at_once(unit):
    with pytest.raises(SpecError):
        find(unit * 100_000)
