"""The grammar of specs: what each word means, and that no text whatever does worse than a `SpecError`."""

import random

import pytest
import torch

from core.errors import SpecError
from core.models.build import build_model
from core.models.grammar.blocks import (
    Activation,
    Branching,
    Conv,
    Dense,
    Drop,
    Factor,
    Flattening,
    GlobalPool,
    Norm,
    Pool,
    Reuse,
    all_blocks,
)
from core.models.spec import GRAMMAR, REGISTRY, find, is_user_module, parse, words
from core.models.summary import Summary, summarize


@pytest.mark.parametrize(
    ("token", "block"),
    [
        ("c16", Conv(16, (3, 3), (0, 0), (1, 1), (1, 1), groups=1, bias=True, relu=True, norm=True, relu_last=False)),
        ("c16k1", Conv(16, kernel=(1, 1))),
        ("c16k5p2s2", Conv(16, kernel=(5, 5), padding=(2, 2), stride=(2, 2))),
        ("c16s2d4p2k5", Conv(16, kernel=(5, 5), padding=(2, 2), stride=(2, 2), dilation=(4, 4))),
        ("c16k1x5p0x2", Conv(16, kernel=(1, 5), padding=(0, 2))),
        ("c16s2x1d1x3", Conv(16, stride=(2, 1), dilation=(1, 3))),
        ("c16k1p1", Conv(16, kernel=(1, 1), padding=(1, 1))),
        ("c16n", Conv(16, norm=False)),
        ("c16b0", Conv(16, bias=False)),
        ("c16b1", Conv(16)),
        ("c16b0r", Conv(16, bias=False, relu_last=True)),
        ("c16rp1g4", Conv(16, padding=(1, 1), groups=4, relu_last=True)),
        ("c10l", Conv(10, norm=False, relu=False)),
        ("c10lk7", Conv(10, kernel=(7, 7), norm=False, relu=False)),
        ("c4096", Conv(4096)),
        ("s16p1", Conv(16, padding=(1, 1), separable=True)),
        ("s16b0r", Conv(16, bias=False, relu_last=True, separable=True)),
        ("p2", Pool("max", (2, 2), (2, 2))),
        ("a3", Pool("average", (3, 3), (3, 3))),
        ("p3s2p1", Pool("max", (3, 3), (2, 2), (1, 1))),
        ("p1s2", Pool("max", (1, 1), (2, 2))),
        ("a3x2p1x0", Pool("average", (3, 2), (3, 2), (1, 0))),
        ("gap", GlobalPool()),
        ("flat", Flattening()),
        ("d0.05", Drop(0.05)),
        ("d.5", Drop(0.5)),
        ("d0", Drop(0.0)),
        ("dc0.05", Drop(0.05, channels=True)),
        ("fc10", Dense(10, relu=False)),
        ("fc10b0", Dense(10, relu=False, bias=False)),
        ("bn", Norm("batch")),
        ("bnw0", Norm("batch", affine=False)),
        ("gn4", Norm("group", groups=4)),
        ("gn16w0", Norm("group", affine=False, groups=16)),
        ("ln", Norm("layer")),
        ("in", Norm("instance", affine=False)),
        ("inw1", Norm("instance")),
        ("relu", Activation("ReLU")),
        ("lrelu", Activation("LeakyReLU", 0.01)),
        ("lrelu0.2", Activation("LeakyReLU", 0.2)),
        ("elu", Activation("ELU")),
        ("silu", Activation("SiLU")),
        ("gelu", Activation("GELU")),
        ("tanh", Activation("Tanh")),
        ("sigmoid", Activation("Sigmoid")),
        ("scale0.5", Factor(0.5)),
        ("res(c4 bn)", Branching(((Conv(4), Norm("batch")),))),
        ("res(c4|c4k1)", Branching(((Conv(4),), (Conv(4, kernel=(1, 1)),)))),
        ("tie3(c4)", Reuse(3, (Conv(4),))),
    ],
)
def test_a_token_means_its_layer(token, block):
    assert parse(token).blocks == (block,)


def test_what_is_repeated_is_there_as_often_with_the_word_that_it_came_from():
    blocks = parse("gap rep2(bn rep2(relu)) fc10").blocks
    assert blocks[1:-1] == 2 * (Norm("batch"), Activation("ReLU"), Activation("ReLU"))
    assert [block.at for block in blocks] == [1, 4, 7, 7, 4, 7, 7, 10]


def test_words_have_their_places_and_brackets_and_bars_are_words_of_their_own():
    spec = " c8  res( c8p1|c8k1 ) fc10"
    assert [word.text for word in words(spec)] == ["c8", "res", "(", "c8p1", "|", "c8k1", ")", "fc10"]
    assert [spec[word.start : word.end] for word in words(spec)] == [word.text for word in words(spec)]
    assert parse(spec).spec == "c8 res(c8p1 | c8k1) fc10"
    assert parse(parse(spec).spec) == parse(spec)


@pytest.mark.parametrize(
    ("spec", "relus"),
    [
        ("fc32 fc16l fc10", [True, False, False]),
        ("flat rep2(fc10)", [True, False]),
        ("fc8 res(fc8 fc8) fc10", [True, True, True, False]),
        ("fc8 res(fc8 fc8 | fc8)", [True, True, False, False]),
        ("fc10 tie2(fc10)", [True, False]),
    ],
)
def test_a_fully_connected_layer_has_a_relu_if_another_follows_on_the_way_to_the_logits(spec, relus):
    assert [block.relu for block in all_blocks(parse(spec).blocks) if isinstance(block, Dense)] == relus


def test_only_the_last_fully_connected_layer_is_without_relu():
    blocks = parse("fc32 d0.1 fc16 fc10 d0").blocks
    assert [block.relu for block in blocks if isinstance(block, Dense)] == [True, True, False]


def test_every_word_of_the_grammar_parses():
    for examples in GRAMMAR:
        assert parse(examples).spec == examples


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
        ("c8z1", 1, "c8z1", "'z' is not a modifier; modifiers are k p s d b g n l r"),
        ("c9999x", 1, "c9999x", "'x' is not a modifier"),
        ("c8n3", 1, "c8n3", "n takes no number"),
        ("s8K3q", 1, "s8K3q", "modifiers are written in small letters: k"),
        ("c8 p2k2", 2, "p2k2", "'k' is not a modifier; modifiers are s p"),
        ("fc10n", 1, "fc10n", "'n' is not a modifier; modifiers are b l"),
        ("fc10ll", 1, "fc10ll", "l is given twice"),
        ("gapx", 1, "gapx", "'x' is too much; global pooling is written gap"),
        ("bnx", 1, "bnx", "'x' is not a modifier; the modifier is w"),
        ("bn8", 1, "bn8", "bn takes no number"),
        ("c8 relu6", 2, "relu6", "relu takes no number"),
        ("c8 res2(c8p1)", 2, "res2", "res takes no number"),
        ("c8 Res(c8p1)", 2, "Res", "layers are written in small letters: res"),
        ("c8 rep 3(c8p1)", 2, "rep", "rep needs a number, as in rep2(c16p1)"),
        ("bnw", 1, "bnw", "w needs a number, as in w0"),
        ("lnw2", 1, "lnw2", "w must be 0 or 1"),
        ("gn", 1, "gn", "gn needs a number, as in gn4"),
        ("gn0", 1, "gn0", "groups must be 1 to 4096"),
        ("c8b2", 1, "c8b2", "b must be 0 or 1"),
        ("c8b", 1, "c8b", "b needs a number, as in b0"),
        ("c8k3x", 1, "c8k3x", "'x' is not a modifier"),
        ("c8k3x0", 1, "c8k3x0", "kernel must be 1 to 64"),
        ("s8g2", 1, "s8g2", "the depthwise part has a group for each channel"),
        ("c8nr", 1, "c8nr", "n and r exclude each other"),
        ("p3p2", 1, "p3p2", "padding 2 must be at most half the window of 3"),
        ("p2s2s2", 1, "p2s2s2", "s is given twice"),
        ("lrelu2", 1, "lrelu2", "slope must be 0 to 1"),
        ("RELU", 1, "RELU", "layers are written in small letters: relu"),
        ("dc1", 1, "dc1", "at least 0 and below 1"),
        ("scale0", 1, "scale0", "factor must be above 0 and at most 1,000"),
        ("scale", 1, "scale", "scale needs a number, as in scale0.5"),
        ("scale2e3", 1, "scale2e3", "plain digits"),
        ("c8 res", 2, "res", "needs layers in brackets, as in res(c16p1)"),
        ("c8 res c8p1", 2, "res", "needs layers in brackets"),
        ("c8 res(c8p1", 2, "res", "its bracket is not closed: ) is missing"),
        ("c8 res(", 2, "res", "its bracket is not closed"),
        ("c8 res()", 3, "(", "no layers follow"),
        ("c8 res(c8p1 |)", 5, "|", "no layers follow"),
        ("c8 res(| c8)", 3, "(", "no layers follow"),
        ("c8 rep2(c8 | c8)", 5, "|", "separates the branches of res( )"),
        ("c8 | c8", 2, "|", "separates the branches of res( )"),
        ("c8) fc10", 2, ")", "closes nothing"),
        ("(c8)", 1, "(", "a bracket follows res, rep2, tie2 or loop2"),
        ("rep(c8)", 1, "rep", "rep needs a number, as in rep2(c16p1)"),
        ("rep0(c8)", 1, "rep0", "times must be 1 to 64"),
        ("rep65(c8)", 1, "rep65", "times must be 1 to 64"),
        ("d0 rep64(d0 rep64(d0))", 2, "rep64", "64 times 65 layers is over the 256"),
        ("rep64(rep4(d0) d0)", 1, "rep64", "64 times 5 layers is over the 256 that a network may have"),
        ("res(" * 9 + "d0" + ")" * 9, 17, "res", "brackets may be 8 deep"),
        ("c8 conv9", 2, "conv9", "is a whole network"),
        ("c-8", 1, "c-8", "no such layer"),
        ("c8.5", 1, "c8.5", "'.' is not a modifier"),
        ("c\u0663", 1, "c\u0663", "no such layer"),
        ("c0", 1, "c0", "channels must be 1 to 4096"),
        ("c4097", 1, "c4097", "channels must be 1 to 4096"),
        ("c8k0", 1, "c8k0", "kernel must be 1 to 64"),
        ("c8 c8s0", 2, "c8s0", "stride must be 1"),
        ("c8d65", 1, "c8d65", "dilation must be 1 to 64"),
        ("c8p65", 1, "c8p65", "padding must be 0 to 64"),
        ("c8k3k5", 1, "c8k3k5", "k is given twice"),
        ("c8nn", 1, "c8nn", "n is given twice"),
        ("c8nl", 1, "c8nl", "exclude each other"),
        ("p1", 1, "p1", "window must be 2 to 64"),
        ("d1", 1, "d1", "at least 0 and below 1"),
        ("d1e-3", 1, "d1e-3", "plain digits, as in d0.05"),
        ("fc0", 1, "fc0", "units must be 1 to 4096"),
        ("c" + "9" * 30, 1, "c" + "9" * 30, "channels must be"),
    ],
)
def test_a_word_outside_the_grammar_is_named_with_its_position(spec, position, token, reason, presentable):
    with pytest.raises(SpecError) as caught:
        parse(spec)
    assert (caught.value.token, caught.value.position, caught.value.field) == (token, position, "arch")
    presentable(caught.value.message, f"{token} at position {position}: ", reason)


def test_a_257th_layer_is_too_many_each_repetition_counted():
    assert len(parse("d0 " * 256).blocks) == len(parse("rep4(rep64(d0))").blocks) == 256
    with pytest.raises(SpecError, match="p2 at position 257: at most 256 layers"):
        parse("d0 " * 256 + "p2")
    with pytest.raises(SpecError, match="p2 at position 8: at most 256 layers"):
        parse("rep4(rep64(d0)) p2")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("word", ["rep64(", "res(", "tie64(", "(", ")", "|", "res(d0|"])
def test_a_great_many_brackets_are_refused_at_once(word):
    with pytest.raises(SpecError):
        parse(word * 100_000)
    with pytest.raises(SpecError):
        parse(word * 100_000 + "d0" + ")" * 100_000)


def test_a_control_character_in_a_layer_too_many_is_not_printed(presentable):
    with pytest.raises(SpecError) as caught:
        parse("d0 " * 256 + "\x1b[2J" + "x" * 1000)
    presentable(caught.value.message, "position 257")


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
        *(Conv(8, padding=(1, 1)), Drop(p), Pool("max", (2, 2), (2, 2)), Conv(16, separable=True), Drop(p)),
        *(Conv(16, norm=False), Conv(10, norm=False, relu=False), GlobalPool(), Dense(10, relu=False)),
    )
    assert parse(net.spec).blocks == net.blocks


def test_dropout_goes_behind_norms_alone_and_inside_other_blocks_and_positions_follow():
    net = parse("c8l gn4 relu rep2(c8p1r res(bn | c8k1l)) tie2(c8) p28 gap").with_dropout(0.5)
    assert net.spec == "c8l gn4 d0.5 relu rep2(c8p1r d0.5 res(bn d0.5 | c8k1l)) tie2(c8 d0.5) p28 gap"
    assert parse(net.spec) == net
    for block, again in zip(all_blocks(net.blocks), all_blocks(parse(net.spec).blocks), strict=True):
        assert block.at == again.at


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


GRAMMATICAL = "cspadgfkln0123456789.  ()|rtiebwxuh"
CHARACTERS = GRAMMATICAL + "-_:/\\\"'{}%\x00\x07\x1b\x7f\u0660\u0968\uff11\u00b2\u2028\u202e\ud800\U0001f600\u00e9"


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
            return "".join(rng.choices("cspadklnbgr 0123456789()|x", k=rng.randint(1, 12)))


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
            texts = [word.text for word in words(text)]
            if texts and len(word := texts[error.position - 1]) <= 40 and word.isprintable():
                assert error.token == word
        elif summary is not None:
            built += 1
            with torch.device("meta"), torch.no_grad():  # shapes without arithmetic
                assert build_model(summary).eval()(torch.zeros(2, 1, 28, 28)).shape == (2, 10), text
    assert 5 < built < 225
