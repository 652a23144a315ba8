"""Architectures: the one-line spec and the registry of named networks.

A spec is a row of tokens, one a block, e.g. ``c8p1 p2 c16 gap fc10``; `GRAMMAR` says what each means. Parsing is plain
Python, so that an interface can do it at each keystroke without importing torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal

from core.advice import Advice
from core.errors import SpecError
from core.models.reference import is_reference

GRAMMAR: Mapping[str, str] = {
    "c16": "3x3 convolution to 16 channels with bias, then ReLU, then batch norm",
    "c16k1 c16p1 c16s2 c16d2": "kernel 1, padding 1, stride 2, dilation 2; they combine: c16k5p2s2",
    "c16n": "the same without batch norm",
    "c10l": "linear: no ReLU and no norm (the classifier)",
    "s16": "depthwise-separable: 3x3 depthwise (no bias: the next layer's absorbs it), then 1x1 to 16 channels, "
    "then ReLU and batch norm; same modifiers",
    "p2 a2": "max pooling, average pooling",
    "gap": "global average pooling",
    "d0.05": "dropout with that probability",
    "fc10": "fully connected (flattens first); one in the middle is followed by ReLU",
}

MAX_TOKENS = 64
MAX_TOKEN = 40
MAX_WIDTH = 512
MAX_EXTENT = 28


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution block; `separable` splits it into depthwise and pointwise."""

    channels: int
    kernel: int = 3
    padding: int = 0
    stride: int = 1
    dilation: int = 1
    relu: bool = True
    norm: bool = True
    separable: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """Pooling over `size` x `size` windows that do not overlap."""

    mode: Literal["max", "average"]
    size: int


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """The mean over the whole map."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Dropout with probability `p`."""

    p: float


@dataclass(frozen=True, slots=True)
class Dense:
    """A fully connected layer; `relu` is off for the last one of a spec."""

    units: int
    relu: bool


Block = Conv | Pool | GlobalPool | Drop | Dense


@dataclass(frozen=True, slots=True)
class Architecture:
    """A parsed spec. `tokens` are the words as typed, one a block, so that errors can name them."""

    name: str
    tokens: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def spec(self) -> str:
        return " ".join(self.tokens)

    def with_dropout(self, p: float) -> Architecture:
        """The same network with dropout `p` after each block that ends in a batch norm."""
        if p == 0:
            return self
        tokens: list[str] = []
        blocks: list[Block] = []
        for token, block in zip(self.tokens, self.blocks, strict=True):
            tokens.append(token)
            blocks.append(block)
            if isinstance(block, Conv) and block.norm:
                tokens.append(f"d{Decimal(repr(p)):f}")  # all digits and no exponent, so that it reads back as p
                blocks.append(Drop(p))
        return replace(self, tokens=tuple(tokens), blocks=tuple(blocks))


REGISTRY: Mapping[str, str] = {
    "conv9": "c8 c8 c16 p2 c16 c32 c16k1 c16 c32 c10l",
    "conv5": "c8p1 p2 c16 c32 p2 c32n c10l",
    "gap17k": "c12p1 c16p1 p2 c16p1 c22p1 p2 c22p1 c24 gap fc10",
    "gap7k": "c8p1 c10p1 p2 c10p1 c14p1 p2 c14p1 c16p1 gap fc10",
    "sep8k": "c16p1 s32p1 p2 s40p1 s48p1 p2 s56p1 gap fc10",
    "sep4k": "c10p1 s20p1 p2 s28p1 s32p1 p2 s36p1 gap fc10",
}
"""Named networks, all below 20,000 parameters."""

EXERCISE = ("conv9", "conv5")
"""The networks of the course exercise."""

_CONV = re.compile(r"([cs])(\d+)((?:[kpsd]\d+|[nl])*)", re.ASCII)
_MODIFIER = re.compile(r"([kpsd])(\d+)|([nl])", re.ASCII)
_POOL = re.compile(r"([pa])(\d+)", re.ASCII)
_DROP = re.compile(r"d(\d*\.?\d+)", re.ASCII)
_DENSE = re.compile(r"fc(\d+)", re.ASCII)
_GAP = re.compile("gap")

NO_LAYER = "no such layer; layers are c16 s16 p2 a2 gap d0.05 fc10"

Fail = Callable[[str], SpecError]


def is_user_module(arch: str) -> bool:
    """Whether an architecture is a file of one's own, ``FILE.py:CLASS``, and no spec."""
    return is_reference(arch)


def find(arch: str) -> Architecture:
    """A registered network by name, or else a spec.

    Raises:
        SpecError: when it is neither.
    """
    if arch in REGISTRY:
        return parse(REGISTRY[arch], name=arch)
    try:
        return parse(arch)
    except SpecError as error:
        if len(arch.split()) == 1:
            close = get_close_matches(arch, REGISTRY, n=1)
            if close:
                error.advice = Advice(f"did you mean {close[0]}?")
            elif error.reason == NO_LAYER:
                error.advice = Advice(f"named networks are {', '.join(REGISTRY)}")
        raise


def parse(spec: str, *, name: str = "") -> Architecture:
    """Parse a spec; `core.models.summary.summarize` checks whether its shapes fit.

    Raises:
        SpecError: naming the first token that is not in the grammar.
    """
    tokens = tuple(spec.split())
    if not tokens:
        raise SpecError(
            spec, "nothing", 1, "a network needs at least one layer", hint=f"for example: {REGISTRY['conv5']}"
        )
    if len(tokens) > MAX_TOKENS:
        raise SpecError(spec, tokens[MAX_TOKENS], MAX_TOKENS + 1, f"at most {MAX_TOKENS} layers")
    blocks: list[Block] = []
    for position, token in enumerate(tokens, start=1):

        def fail(reason: str, token: str = token, position: int = position) -> SpecError:
            return SpecError(spec, token, position, reason)

        is_classifier = not any(later.startswith("fc") for later in tokens[position:])
        blocks.append(_block(token, is_classifier, fail))
    return Architecture(name=name, tokens=tokens, blocks=tuple(blocks))


def _block(token: str, is_classifier: bool, fail: Fail) -> Block:
    if len(token) > MAX_TOKEN:
        raise fail(f"longer than {MAX_TOKEN} characters")
    if match := _CONV.fullmatch(token):
        return _conv(match, fail)
    if match := _POOL.fullmatch(token):
        mode: Literal["max", "average"] = "max" if match[1] == "p" else "average"
        return Pool(mode, _number(match[2], "window", 2, MAX_EXTENT, fail))
    if token == "gap":
        return GlobalPool()
    if match := _DROP.fullmatch(token):
        p = float(match[1])
        if not 0 <= p < 1:
            raise fail("dropout must be at least 0 and below 1")
        return Drop(p)
    if match := _DENSE.fullmatch(token):
        return Dense(_number(match[1], "units", 1, MAX_WIDTH, fail), relu=not is_classifier)
    raise fail(_what_is_wrong(token))


_SMALLEST = {"c": "c16", "s": "s16", "p": "p2", "a": "a2", "d": "d0.05", "fc": "fc10"}
"""For each kind of layer that takes a number, how one is written."""


def _what_is_wrong(token: str) -> str:
    """The reason why a token is no layer, naming the part of it that is wrong."""
    small = token.lower()
    if small != token and any(form.fullmatch(small) for form in (_CONV, _POOL, _DROP, _DENSE, _GAP)):
        return f"layers are written in small letters: {small}"
    if token in REGISTRY:
        return f"is a whole network, not a layer of one; its layers are {REGISTRY[token]}"
    if token in _SMALLEST:
        return f"{token} needs a number, as in {_SMALLEST[token]}"
    if match := _CONV.match(token):
        return _wrong_modifier(token[match.end() :], match[3][-1:])
    for form, kind in ((_POOL, "pooling"), (_DENSE, "a fully connected layer"), (_GAP, "global pooling")):
        if match := form.match(token):
            return f"{token[match.end() :]!r} is too much; {kind} is written {match[0]}"
    if _DROP.match(token):
        return "dropout is written in plain digits, as in d0.05"
    return NO_LAYER


def _wrong_modifier(rest: str, before: str) -> str:
    """The reason why `rest`, the end of a convolution's token, does not begin with a modifier; `before` is the
    character before it."""
    letter = rest[0]
    if letter in "kpsd":
        return f"{letter} needs a number, as in {letter}2"
    if letter.isdigit() and before in ("n", "l"):
        return f"{before} takes no number"
    if letter in "KPSDNL":
        return f"modifiers are written in small letters: {letter.lower()}"
    return f"{letter!r} is no modifier; modifiers are k p s d n l"


def _conv(match: re.Match[str], fail: Fail) -> Conv:
    conv = Conv(_number(match[2], "channels", 1, MAX_WIDTH, fail), separable=match[1] == "s")
    seen: set[str] = set()
    for key, digits, flag in _MODIFIER.findall(match[3]):
        if (key or flag) in seen or (flag and seen & {"n", "l"}):
            raise fail(f"{key or flag} is given twice" if (key or flag) in seen else "n and l exclude each other")
        seen.add(key or flag)
        match key or flag:
            case "k":
                conv = replace(conv, kernel=_number(digits, "kernel", 1, MAX_EXTENT, fail))
            case "p":
                conv = replace(conv, padding=_number(digits, "padding", 0, MAX_EXTENT, fail))
            case "s":
                conv = replace(conv, stride=_number(digits, "stride", 1, MAX_EXTENT, fail))
            case "d":
                conv = replace(conv, dilation=_number(digits, "dilation", 1, MAX_EXTENT, fail))
            case "n":
                conv = replace(conv, norm=False)
            case _:
                conv = replace(conv, norm=False, relu=False)
    if conv.padding > 0 and conv.padding >= (reach := conv.dilation * (conv.kernel - 1) + 1):
        raise fail(f"padding {conv.padding} must be below the kernel's reach of {reach}, else outputs see no pixel")
    return conv


def _number(digits: str, what: str, low: int, high: int, fail: Fail) -> int:
    value = int(digits) if len(digits) <= 6 else high + 1
    if not low <= value <= high:
        raise fail(f"{what} must be {low} to {high}")
    return value
