"""The grammar of specs: what each word means, and that no text whatever does worse than a `SpecError`."""

import random

import pytest
import torch

from core.errors import SpecError
from core.models.build import build_model
from core.models.spec import GRAMMAR, REGISTRY, Conv, Dense, Drop, GlobalPool, Pool, find, is_user_module, parse
from core.models.summary import Summary, summarize


@pytest.mark.parametrize(
    ("token", "block"),
    [
        ("c16", Conv(16, kernel=3, padding=0, stride=1, dilation=1, relu=True, norm=True, separable=False)),
        ("c16k1", Conv(16, kernel=1)),
        ("c16k5p2s2", Conv(16, kernel=5, padding=2, stride=2)),
        ("c16s2d4p2k5", Conv(16, kernel=5, padding=2, stride=2, dilation=4)),
        ("c16n", Conv(16, norm=False)),
        ("c10l", Conv(10, norm=False, relu=False)),
        ("c10lk7", Conv(10, kernel=7, norm=False, relu=False)),
        ("s16p1", Conv(16, padding=1, separable=True)),
        ("p2", Pool("max", 2)),
        ("a3", Pool("average", 3)),
        ("gap", GlobalPool()),
        ("d0.05", Drop(0.05)),
        ("d.5", Drop(0.5)),
        ("d0", Drop(0.0)),
        ("fc10", Dense(10, relu=False)),
    ],
)
def test_a_token_means_its_layer(token, block):
    assert parse(token).blocks == (block,)


def test_only_the_last_fully_connected_layer_is_without_relu():
    blocks = parse("fc32 d0.1 fc16 fc10 d0").blocks
    assert [block.relu for block in blocks if isinstance(block, Dense)] == [True, True, False]


def test_every_word_of_the_grammar_parses():
    for words in GRAMMAR:
        for word in words.split():
            assert parse(word).tokens == (word,)


def test_spaces_of_any_kind_and_number_separate_layers():
    assert parse("  c8\t p2\n\nfc10 ").spec == "c8 p2 fc10"


@pytest.mark.parametrize(
    ("spec", "position", "token", "reason"),
    [
        ("", 1, "nothing", "at least one layer"),
        ("c8 x4", 2, "x4", "no such layer"),
        ("c4 C8k3", 2, "C8k3", "layers are written in small letters: c8k3"),
        ("c8 p", 2, "p", "p needs a number, as in p2"),
        ("c8k", 1, "c8k", "k needs a number, as in k2"),
        ("c8z1", 1, "c8z1", "'z' is no modifier; modifiers are k p s d n l"),
        ("c9999x", 1, "c9999x", "'x' is no modifier"),
        ("c8n3", 1, "c8n3", "n takes no number"),
        ("s8K3q", 1, "s8K3q", "modifiers are written in small letters: k"),
        ("c8 p2s2", 2, "p2s2", "'s2' is too much; pooling is written p2"),
        ("fc10l", 1, "fc10l", "'l' is too much; a fully connected layer is written fc10"),
        ("c8 conv9", 2, "conv9", "is a whole network"),
        ("c-8", 1, "c-8", "no such layer"),
        ("c8.5", 1, "c8.5", "'.' is no modifier"),
        ("c\u0663", 1, "c\u0663", "no such layer"),
        ("c0", 1, "c0", "channels must be 1 to 512"),
        ("c513", 1, "c513", "channels must be 1 to 512"),
        ("c8k0", 1, "c8k0", "kernel must be 1 to 28"),
        ("c8 c8s0", 2, "c8s0", "stride must be 1"),
        ("c8d29", 1, "c8d29", "dilation must be 1 to 28"),
        ("c8p3", 1, "c8p3", "padding 3 must be below"),
        ("c8k3k5", 1, "c8k3k5", "k is given twice"),
        ("c8nn", 1, "c8nn", "n is given twice"),
        ("c8nl", 1, "c8nl", "exclude each other"),
        ("p1", 1, "p1", "window must be 2 to 28"),
        ("d1", 1, "d1", "at least 0 and below 1"),
        ("d1e-3", 1, "d1e-3", "plain digits, as in d0.05"),
        ("fc0", 1, "fc0", "units must be 1 to 512"),
        ("c" + "9" * 30, 1, "c" + "9" * 30, "channels must be"),
    ],
)
def test_a_word_outside_the_grammar_is_named_with_its_position(spec, position, token, reason, presentable):
    with pytest.raises(SpecError) as caught:
        parse(spec)
    assert (caught.value.token, caught.value.position, caught.value.field) == (token, position, "arch")
    presentable(caught.value.message, f"{token} at position {position}: ", reason)


def test_a_65th_layer_is_too_many():
    assert len(parse("d0 " * 64).blocks) == 64
    with pytest.raises(SpecError, match="p2 at position 65: at most 64 layers"):
        parse("d0 " * 64 + "p2")


def test_a_control_character_in_a_layer_too_many_is_not_printed(presentable):
    with pytest.raises(SpecError) as caught:
        parse("d0 " * 64 + "\x1b[2J" + "x" * 1000)
    presentable(caught.value.message, "position 65")


def test_a_very_long_probability_is_shortened_in_the_message(presentable):
    with pytest.raises(SpecError) as caught:
        summarize(parse("c8 d0." + "0" * 900 + "1"))
    presentable(caught.value.message, "d0.000", "position 2")


@pytest.mark.timeout(20)
def test_a_token_of_two_hundred_thousand_digits_does_not_hang():
    with pytest.raises(SpecError):
        parse("d" + "9" * 200_000 + "x")


@pytest.mark.parametrize("p", [0.05, 0.1234567, 1e-5, 0.99999999])
def test_dropout_follows_each_normed_block_and_can_be_read_back_from_the_spec(p):
    net = parse("c8p1 p2 s16 c16n c10l gap fc10", name="mine").with_dropout(p)
    assert net.name == "mine"
    assert net.blocks == (
        *(Conv(8, padding=1), Drop(p), Pool("max", 2), Conv(16, separable=True), Drop(p)),
        *(Conv(16, norm=False), Conv(10, norm=False, relu=False), GlobalPool(), Dense(10, relu=False)),
    )
    assert parse(net.spec).blocks == net.blocks


def test_dropout_of_nothing_changes_nothing():
    assert find("conv9").with_dropout(0.0) == find("conv9")


def test_names_come_before_specs_and_a_near_miss_is_helped():
    assert find("conv5").spec == "c8p1 p2 c16 c32 p2 c32n c10l"
    assert find("conv5").name == "conv5"
    assert find("c8 gap fc10").name == ""
    with pytest.raises(SpecError) as caught:
        find("cnv5")
    assert caught.value.hint == "did you mean conv5?"
    with pytest.raises(SpecError) as caught:
        find("resnet")
    assert all(name in caught.value.hint for name in REGISTRY)


def test_a_file_and_class_is_told_from_a_spec():
    assert is_user_module("nets/mine.py:Net")
    assert is_user_module("C:\\nets\\mine.py:Net")
    assert not is_user_module("c8 gap fc10")
    assert is_user_module("mine.py")  # the name in it is still to come
    assert not is_user_module("mine.txt:Net")


CHARACTERS = (
    "cspadgfkln0123456789.  -_:/\\\"'{}%\x00\x07\x1b\x7f\u0660\u0968\uff11\u00b2\u2028\u202e\ud800\U0001f600\u00e9"
)


def damaged(rng: random.Random, valid: str) -> str:
    """A text that may still be a spec, or be far from one."""
    match rng.randrange(6):
        case 0:
            return "".join(rng.choices(CHARACTERS, k=rng.randint(0, 40)))
        case 1:  # a few characters changed, put in or left out
            text = list(valid)
            for _ in range(rng.randint(1, 3)):
                at = rng.randrange(len(text) + 1)
                text[at : at + rng.randint(0, 2)] = rng.choices(CHARACTERS, k=rng.randint(0, 2))
            return "".join(text)
        case 2:  # words in another order, twice or missing
            return " ".join(rng.choices(valid.split(), k=rng.randint(1, 12)))
        case 3:  # a number far too long, or out of bounds
            digits = rng.choice(["0", "00", "99", "513", "9" * 7, "1" * 400, "1" * 5000, "\u0661\u0662"])
            return valid.replace(rng.choice("0123456789"), digits, 1)
        case 4:  # a huge word, or far too many
            word = rng.choice(valid.split())
            return rng.choice([f"{valid} {word * 600}", f"{valid} " * 30, "x" * 4000, rng.choice(CHARACTERS) * 900])
        case _:
            return "".join(rng.choices("cspadkln 0123456789", k=rng.randint(1, 12)))


def outcome(text: str) -> tuple[Summary | None, SpecError | None]:
    try:
        return summarize(parse(text)), None
    except SpecError as error:
        return None, error


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(20))
def test_any_text_is_a_network_of_ten_logits_or_one_line_naming_the_token_at_fault(random_spec, presentable, seed):
    rng = random.Random(seed)
    built = 0
    for _ in range(250):
        text = damaged(rng, random_spec(rng))
        if text.strip() and rng.random() < 0.2:
            text = damaged(rng, text)
        summary, error = outcome(text)
        if error is not None:
            presentable(error.message, error.token)
            words = text.split()
            if words and len(word := words[error.position - 1]) <= 40 and word.isprintable():
                assert error.token == word
        elif summary is not None:
            built += 1
            with torch.device("meta"), torch.no_grad():  # shapes without arithmetic
                assert build_model(summary).eval()(torch.zeros(2, 1, 28, 28)).shape == (2, 10), text
    assert 5 < built < 225
