"""One word of a spec as a block."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from core.errors import SpecError
from core.models.grammar.blocks import (
    Activation,
    Block,
    Conv,
    Dense,
    Drop,
    Factor,
    Flattening,
    GlobalPool,
    Norm,
    Pair,
    Pool,
)
from core.models.grammar.diagnosis import what_is_wrong, why_so_long
from core.models.grammar.forms import (
    ACTIVATIONS,
    CONV,
    CONV_MODIFIER,
    DENSE,
    DROP,
    LEAKY,
    NORM,
    POOL,
    POOL_MODIFIER,
    SCALE,
)
from core.task import LARGEST

MAX_TOKEN = 40
MAX_WIDTH = 4096
MAX_EXTENT = LARGEST
MAX_SCALE = 1000

Fail = Callable[[str], SpecError]
"""Makes the error of a word out of the reason."""


def block_of(token: str, fail: Fail) -> Block:
    """The block that a word stands for, a fully connected one as one in the middle.

    Raises:
        SpecError: made by `fail`, when the word is none of the grammar.
    """
    if len(token) > MAX_TOKEN:
        raise fail(why_so_long(token, MAX_TOKEN))
    if token in ACTIVATIONS:
        return Activation(ACTIVATIONS[token])
    if token == "gap":
        return GlobalPool()
    if token == "flat":
        return Flattening()
    for form, make in _MAKERS:
        if match := form.fullmatch(token):
            return make(match, fail)
    raise fail(what_is_wrong(token))


def _conv(match: re.Match[str], fail: Fail) -> Conv:
    conv = Conv(_number(match[2], "channels", 1, MAX_WIDTH, fail), separable=match[1] == "s")
    seen: dict[str, str] = {}
    for key, value, flag in CONV_MODIFIER.findall(match[3]):
        name = key or flag
        if name in seen:
            raise fail(f"{name} is given twice")
        if flag and (other := next((one for one in seen if one in "nlr"), "")):
            raise fail(f"{other} and {flag} exclude each other")
        seen[name] = value
    if "g" in seen and conv.separable:
        raise fail("g is for c16; the depthwise part has a group for each channel")
    return replace(
        conv,
        kernel=_pair(seen.get("k", "3"), "kernel", 1, fail),
        padding=_pair(seen.get("p", "0"), "padding", 0, fail),
        stride=_pair(seen.get("s", "1"), "stride", 1, fail),
        dilation=_pair(seen.get("d", "1"), "dilation", 1, fail),
        groups=_number(seen.get("g", "1"), "groups", 1, MAX_WIDTH, fail),
        bias=_switch(seen.get("b", "1"), "b", fail),
        relu="l" not in seen,
        norm="n" not in seen and "l" not in seen,
        relu_last="r" in seen,
    )


def _pool(match: re.Match[str], fail: Fail) -> Pool:
    mode: Literal["max", "average"] = "max" if match[1] == "p" else "average"
    size = _pair(match[2], "window", 1, fail)
    seen: dict[str, str] = {}
    for key, value in POOL_MODIFIER.findall(match[3]):
        if key in seen:
            raise fail(f"{key} is given twice")
        seen[key] = value
    stride = _pair(seen["s"], "stride", 1, fail) if "s" in seen else size
    if size == stride == (1, 1):
        raise fail(f"window must be 2 to {MAX_EXTENT}")
    padding = _pair(seen.get("p", "0"), "padding", 0, fail)
    for given, window in zip(padding, size, strict=True):
        if given > window // 2:
            raise fail(f"padding {given} must be at most half the window of {window}")
    return Pool(mode, size, stride, padding)


def _drop(match: re.Match[str], fail: Fail) -> Drop:
    p = float(match[2])
    if not 0 <= p < 1:
        raise fail("dropout must be at least 0 and below 1")
    return Drop(p, channels=match[1] == "dc")


def _dense(match: re.Match[str], fail: Fail) -> Dense:
    units = _number(match[1], "units", 1, MAX_WIDTH, fail)
    modifiers = re.findall(r"b\d+|l", match[2])
    letters = [modifier[0] for modifier in modifiers]
    if len(set(letters)) < len(letters):
        raise fail(f"{max(letters, key=letters.count)} is given twice")
    switches = [_switch(modifier[1:], "b", fail) for modifier in modifiers if modifier != "l"]
    return Dense(units, relu="l" not in letters, bias=all(switches))


def _norm(match: re.Match[str], fail: Fail) -> Norm:
    kinds: dict[str, Literal["batch", "group", "layer", "instance"]] = {
        "bn": "batch",
        "gn": "group",
        "ln": "layer",
        "in": "instance",
    }
    kind = kinds[match[1]]
    affine = _switch(match[3], "w", fail) if match[3] else kind != "instance"
    return Norm(kind, affine, _number(match[2], "groups", 1, MAX_WIDTH, fail) if kind == "group" else 0)


def _leaky(match: re.Match[str], fail: Fail) -> Activation:
    slope = float(match[1] or "0.01")
    if slope > 1:
        raise fail("slope must be 0 to 1")
    return Activation("LeakyReLU", slope)


def _scale(match: re.Match[str], fail: Fail) -> Factor:
    factor = float(match[1])
    if not 0 < factor <= MAX_SCALE:
        raise fail(f"factor must be above 0 and at most {MAX_SCALE:,}")
    return Factor(factor)


_MAKERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Fail], Block]], ...] = (
    (CONV, _conv),
    (POOL, _pool),
    (DROP, _drop),
    (DENSE, _dense),
    (NORM, _norm),
    (LEAKY, _leaky),
    (SCALE, _scale),
)


def _pair(text: str, what: str, low: int, fail: Fail) -> Pair:
    """``3`` or ``1x5`` as rows and columns."""
    rows, _, columns = text.partition("x")
    first = _number(rows, what, low, MAX_EXTENT, fail)
    return first, _number(columns, what, low, MAX_EXTENT, fail) if columns else first


def _switch(text: str, letter: str, fail: Fail) -> bool:
    if text not in ("0", "1"):
        raise fail(f"{letter} must be 0 or 1")
    return text == "1"


def _number(digits: str, what: str, low: int, high: int, fail: Fail) -> int:
    value = int(digits) if len(digits) <= 6 else high + 1
    if not low <= value <= high:
        raise fail(f"{what} must be {low} to {high}")
    return value
