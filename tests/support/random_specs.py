"""Specs drawn at random over the whole grammar; sizes are followed with torch's formulas, not with those of the code
under test."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from math import prod

ACTIVATIONS = ("relu", "lrelu", "lrelu0.2", "elu", "silu", "gelu", "tanh", "sigmoid")


@dataclass(frozen=True)
class Map:
    """What comes in: channels and sides, or `flat` units."""

    channels: int = 1
    height: int = 28
    width: int = 28
    flat: bool = False

    @property
    def single(self) -> bool:
        return self.height == self.width == 1


def out(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """The formula of torch.nn.Conv2d, and of its pooling."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def pair(rng: random.Random, rows: int, columns: int) -> str:
    return str(rows) if rows == columns and rng.random() < 0.8 else f"{rows}x{columns}"


class Draw:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def spec(self) -> str:
        rng = self.rng
        words, here = [], Map()
        if rng.random() < 0.1:
            words.append(f"scale{rng.choice(['2', '0.5', '.3', '1.25'])}")
        for _ in range(rng.randint(0, 7)):
            word, here = self.any(here, depth=0)
            words.append(word)
        return " ".join([*words, *self.end(here)])

    def any(self, here: Map, depth: int) -> tuple[str, Map]:
        """Something that may follow, and what comes out of it."""
        rng = self.rng
        kind = rng.choice(["conv"] * 5 + ["pool", "plain", "plain", "res", "branches", "rep", "tie", "loop"])
        if depth < 3 and kind == "res":
            return f"res({self.same(here, depth + 1)})", here
        if depth < 3 and kind == "branches":
            return self.branches(here, depth + 1)
        if depth < 3 and kind in ("tie", "loop"):
            return f"{kind}{rng.randint(1, 3)}({self.same(here, depth + 1)})", here
        if depth < 3 and kind == "rep":
            return self.repeated(here, depth + 1)
        if kind == "pool" and max(here.height, here.width) > 1:
            return self.pool(here)
        if kind == "conv":
            return self.conv(here)
        return self.plain(here), here

    def conv(self, here: Map) -> tuple[str, Map]:
        rng = self.rng
        sides: dict[str, list[int]] = {"k": [], "p": [], "s": [], "d": []}
        square = rng.random() < 0.8
        for size in (here.height, here.width):
            if square and sides["k"] and here.height == here.width:
                for values in sides.values():
                    values.append(values[0])
                continue
            kernel, dilation = rng.choice([1, 2, 3, 3, 3, 5, 7]), rng.choice([1, 1, 1, 2, 3])
            padding = rng.choice([0, 0, 1, 1, 2, 4]) if size < 34 else 0
            if out(size, kernel, 1, padding, dilation) < 1:
                kernel, dilation = 1, 1
            for key, value in zip("kpsd", (kernel, padding, rng.choice([1, 1, 1, 2, 3]), dilation), strict=True):
                sides[key].append(value)
        height, width = (
            out(size, k, s, p, d) for size, k, p, s, d in zip((here.height, here.width), *sides.values(), strict=True)
        )
        channels = rng.randint(1, 16)
        separable = rng.random() < 0.2
        modifiers = [
            f"{key}{pair(rng, *values)}"
            for key, values in sides.items()
            if values != [3 if key == "k" else 0 if key == "p" else 1] * 2 or rng.random() < 0.2
        ]
        modifiers += rng.choices([[], ["b0"], ["b1"]], [5, 4, 1])[0]
        divisors = [g for g in range(2, 17) if here.channels % g == 0 and channels % g == 0]
        if divisors and not separable and rng.random() < 0.3:
            modifiers.append(f"g{rng.choice(divisors)}")
        modifiers += rng.choice([[], ["r"], ["n"], ["l"]])
        rng.shuffle(modifiers)
        return f"{'s' if separable else 'c'}{channels}{''.join(modifiers)}", Map(channels, height, width)

    def pool(self, here: Map) -> tuple[str, Map]:
        rng = self.rng
        size = [rng.randint(1 + (side > 1), min(side, 4)) for side in (here.height, here.width)]
        if rng.random() < 0.7:
            size = [min(size)] * 2
        if size == [1, 1]:
            return self.plain(here), here
        padding = [rng.randint(0, window // 2) if rng.random() < 0.3 else 0 for window in size]
        stride = [rng.randint(1, 3), rng.randint(1, 3)] if rng.random() < 0.4 else size
        modifiers = [f"s{pair(rng, *stride)}"] if stride != size else []
        modifiers += [f"p{pair(rng, *padding)}"] if padding != [0, 0] else []
        rng.shuffle(modifiers)
        height, width = map(out, (here.height, here.width), size, stride, padding)
        return f"{rng.choice('pa')}{pair(rng, *size)}{''.join(modifiers)}", Map(here.channels, height, width)

    def plain(self, here: Map) -> str:
        """One that leaves the shape."""
        rng = self.rng
        words = [rng.choice(ACTIVATIONS), rng.choice(ACTIVATIONS), "bn", "bnw0", "d0.1", "d0", "scale0.7"]
        if prod((here.channels, here.height, here.width)) > 1:
            words += ["ln", "lnw0"]
            groups = [g for g in range(1, 17) if here.channels % g == 0]
            values = here.height * here.width
            if groups := [g for g in groups if here.channels // g * values > 1]:
                words += [f"gn{rng.choice(groups)}", f"gn{rng.choice(groups)}w0"]
        if not here.flat:
            words += ["dc0.2"] + ["in", "inw1"] * (not here.single)
        return rng.choice(words)

    def same(self, here: Map, depth: int) -> str:
        """Words that leave the shape."""
        rng = self.rng
        words = []
        for _ in range(rng.randint(1, 3)):
            if here.flat:
                words.append(rng.choice([self.plain(here), f"fc{here.channels}{rng.choice(['', 'l', 'b0'])}"]))
            elif rng.random() < 0.6:
                reach = rng.choice([1, 3, 5])
                words.append(
                    f"{rng.choice('ccs')}{here.channels}k{reach}p{reach // 2}{rng.choice(['', 'b0r', 'l', 'n'])}"
                )
            elif depth < 3 and rng.random() < 0.3:
                words.append(f"{rng.choice(['res', 'tie2', 'rep2'])}({self.same(here, depth + 1)})")
            else:
                words.append(self.plain(here))
        return " ".join(words)

    def branches(self, here: Map, depth: int) -> tuple[str, Map]:
        rng = self.rng
        channels, stride = rng.randint(1, 12), rng.choice([1, 2])
        after = Map(channels, out(here.height, 1, stride, 0), out(here.width, 1, stride, 0))
        rows = []
        for _ in range(rng.choice([2, 2, 3])):
            kernel = rng.choice([1, 3, 5])
            words = [f"c{channels}k{kernel}p{kernel // 2}s{stride}{rng.choice(['', 'b0r', 'l', 'lb0'])}"]
            if rng.random() < 0.3:
                words.insert(0, self.plain(here))
            if rng.random() < 0.5:
                words.append(self.same(after, depth))
            rows.append(" ".join(words))
        bar = rng.choice([" | ", "|", " |"])
        return f"res({bar.join(rows)})", after

    def repeated(self, here: Map, depth: int) -> tuple[str, Map]:
        rng = self.rng
        times = rng.randint(1, 3)
        if min(here.height, here.width) <= 2 * times:
            return f"rep{times}({self.same(here, depth)})", here
        channels = rng.randint(1, 12)
        word = f"c{channels}{rng.choice(['', 'b0r', 'n', 'l'])}"
        after = Map(channels, here.height - 2 * times, here.width - 2 * times)
        return f"rep{times}({word})", after

    def end(self, here: Map) -> list[str]:
        rng = self.rng
        last = f"fc10{rng.choice(['', 'b0', 'l'])}"
        kind = rng.choice(["dense", "deep", "flat", "convolution", "average"])
        if kind == "convolution" and max(here.height, here.width) <= 28:
            return [f"{rng.choice('cs')}10k{pair(rng, here.height, here.width)}{rng.choice(['l', 'lb0', 'n', 'r'])}"]
        if kind == "average":
            return [f"c10k1{rng.choice(['l', 'n', 'b0r'])}", "gap"]
        if kind == "dense":
            return [*rng.choice([["gap"], []]), last]
        words = [*rng.choice([["gap"], []])]
        units = here.channels if words else prod((here.channels, here.height, here.width))
        if kind == "flat":
            flat = replace(here, channels=units, height=1, width=1, flat=True)
            words += ["flat", self.plain(flat)]
        units = rng.randint(2, 40)
        words.append(f"fc{units}{rng.choice(['', 'l', 'b0', 'lb0'])}")
        flat = Map(units, 1, 1, flat=True)
        for _ in range(rng.randint(0, 3)):
            same = self.same(flat, 1)
            words.append(rng.choice([same, f"res({same})", f"tie2({same})", self.plain(flat)]))
        return [*words, last]


def draw_any_spec(rng: random.Random) -> str:
    """A valid spec of any words of the grammar."""
    return Draw(rng).spec()
