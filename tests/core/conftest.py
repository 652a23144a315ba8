"""Specs drawn at random over the whole grammar, and the one-line rule for messages."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest


def _modifiers(rng: random.Random, given: dict[str, int]) -> str:
    """Those that differ from the default and some that do not, in any order."""
    defaults = {"k": 3, "p": 0, "s": 1, "d": 1}
    words = [f"{key}{value}" for key, value in given.items() if value != defaults[key] or rng.random() < 0.2]
    words += [flag] if (flag := rng.choice(["", "", "n", "l"])) else []
    rng.shuffle(words)
    return "".join(words)


def _convolution(rng: random.Random, side: int) -> tuple[str, int]:
    kernel, dilation = rng.choice([1, 2, 3, 3, 3, 5, 7]), rng.choice([1, 1, 1, 2, 3])
    reach = dilation * (kernel - 1) + 1
    padding = rng.randint(0, min(reach - 1, 4)) if side < 36 else 0
    if side + 2 * padding < reach:
        kernel, dilation, padding, reach = 1, 1, 0, 1
    stride = rng.choice([1, 1, 1, 2, 3])
    given = {"k": kernel, "p": padding, "s": stride, "d": dilation}
    token = f"{rng.choice('cccs')}{rng.randint(1, 20)}{_modifiers(rng, given)}"
    return token, (side + 2 * padding - reach) // stride + 1


def draw_spec(rng: random.Random) -> str:
    """A valid spec; sizes are followed with torch's formulas, not with those of the code under test."""
    tokens, side = [], 28
    for _ in range(rng.randint(0, 8)):
        kind = rng.choice("ccccpad")
        if kind == "c":
            token, side = _convolution(rng, side)
            tokens.append(token)
        elif kind == "d":
            tokens.append(rng.choice(["d0", "d0.05", "d.25", "d0.5"]))
        elif side >= 2:
            size = rng.randint(2, min(side, 5))
            tokens.append(f"{kind}{size}")
            side //= size
    match rng.choice(["dense", "deep", "convolution", "average"]):
        case "convolution" if side <= 28:
            tokens.append(f"{rng.choice('cs')}10k{side}{rng.choice(['l', 'n', ''])}")
        case "average":
            tokens += [f"c10k1{rng.choice(['l', 'n', ''])}", "gap"]
        case "deep":
            tokens += [*rng.choice([["gap"], []]), f"fc{rng.randint(1, 40)}", "d0.1", "fc10"]
        case _:
            tokens += [*rng.choice([["gap"], []]), "fc10"]
    return " ".join(tokens)


@pytest.fixture(scope="session")
def random_spec() -> Callable[[random.Random], str]:
    return draw_spec


def assert_presentable(message: str, *named: str) -> None:
    """One line that a terminal can show, not endless, which names what it should."""
    assert message.isprintable(), repr(message)
    assert len(message) < 400, message
    for name in named:
        assert name in message


@pytest.fixture(scope="session")
def presentable() -> Callable[..., None]:
    return assert_presentable
