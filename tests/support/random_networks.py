"""Networks drawn at random over the whole grammar of specs, and steps by the kernels in C held against torch's."""

from __future__ import annotations

import random
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.engines.native.engine import NativeEngine
from core.models.build import build_model
from core.models.spec import parse
from core.models.summary import summarize


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


def steps_by_both(model: nn.Sequential, *batches: Tensor) -> tuple[list[Tensor], list[Tensor], nn.Module]:
    """Losses, gradients and buffers by the kernels, and by torch from a contiguous copy of the model; the copy."""
    plain = deepcopy(model).to(memory_format=torch.contiguous_format)
    found = []
    for forward, one in ((NativeEngine().forward(model), model), (plain, plain)):
        losses = []
        for images in batches:
            losses.append(F.cross_entropy(forward(images), torch.arange(len(images)) % 10))
            losses[-1].backward()
        found.append([*(loss.detach() for loss in losses), *(p.grad for p in one.parameters()), *one.buffers()])
    return found[0], found[1], plain


def assert_close(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    """Relative to each tensor's size, or for what should be 0 to that of the largest."""
    largest = max(tensor.double().norm() for tensor in expected)
    for tensor, wanted in zip(found, expected, strict=True):
        assert tensor.shape == wanted.shape
        error = torch.linalg.vector_norm(tensor.double() - wanted.double())
        assert error <= tolerance * max(torch.linalg.vector_norm(wanted.double()), 1e-3 * largest)


def vary_scales(model: nn.Module) -> None:
    """Give a new network scales of either sign, and shifts that are not 0."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += 0.3 * torch.randn_like(parameter)


def check_random_network(seed: int) -> None:
    """Two steps, the second on a batch of another size, which finds the memory of the first."""
    rng = random.Random(seed)
    while True:  # a dropout would draw other numbers
        spec = " ".join(word for word in draw_spec(rng).split() if not word.startswith("d"))
        summary = summarize(parse(spec))
        if summary.macs < 3_000_000:
            break
    torch.manual_seed(seed)
    model = build_model(summary).double().to(memory_format=torch.channels_last)
    vary_scales(model)
    sizes = rng.sample([2, 7, 8, 9, 32, 33, 90], 2)
    batches = [torch.randn(size, 1, 28, 28, dtype=torch.float64) for size in sizes]
    found, expected, _ = steps_by_both(model, *batches)
    assert_close(found, expected, 1e-8)
