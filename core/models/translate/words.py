"""Writes rows of layers as a spec, in the shortest words that the grammar has for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from math import prod
from typing import cast

from core.models.plan import times
from core.models.translate.functions import function_name
from core.models.translate.pieces import Obstacle, Piece
from core.models.translate.structure import Part, Repeated, Row, Sum, Turns

_PAIR = tuple[int, int]
_State = tuple[tuple[int, ...] | None, bool]
_UNITS: _State = None, True
_LINEAR = re.compile(r"\b(fc\d+(?:b0)?)(l?)")


def spec_of(row: Row) -> str:
    """The spec of a network.

    Raises:
        Obstacle: for a layer that a spec cannot have where it is.
    """
    spec = " ".join(_Writer().words(row))
    found = list(_LINEAR.finditer(spec))
    if not found:
        return spec
    last = found[-1]
    # The last linear layer is the one that has no ReLU without being told so.
    word = last[1] if last[2] else f"{last[1]} relu"
    return _told(spec[: last.start()]) + word + spec[last.end() :]


def _told(head: str) -> str:
    """What stands before the last linear layer, with the ReLU of those beside it, in other branches of its block, told:
    each branch may have a last one."""
    depth = start = 0
    for at, sign in enumerate(head):
        if sign == "(" and not depth:
            start = at
        depth += (sign == "(") - (sign == ")")
    if not depth or "|" not in head[start:]:
        return head
    return head[:start] + _LINEAR.sub(lambda one: one[0] if one[2] else f"{one[1]}l relu", head[start:])


class _Writer:
    """Keeps in mind whether the image has been flattened, and from which shape."""

    def __init__(self) -> None:
        self._flat_from: tuple[int, ...] | None = None  # the map that a view made units of, which a spec leaves to fc
        self._units = False  # a linear layer has

    def words(self, row: Sequence[Part]) -> list[str]:
        found: list[str] = []
        at = 0
        while at < len(row):
            part = row[at]
            match part:
                case Sum(main, other):
                    found.extend(self._sum(main, other))
                case Repeated(inner, times):
                    found.extend(self._again(f"tie{times}", inner))
                case Turns(rows):
                    found.extend(self._again(f"loop{len(rows)}", rows[0]))
                case Piece(kind="conv"):
                    word, used = self._convolution(row, at)
                    found.append(word)
                    at += used
                case Piece(kind="linear"):
                    word, used = self._linear(part, row, at)
                    found.append(word)
                    at += used
                case Piece(kind="reshape"):
                    self._reshape(part)
                case Piece():
                    found.extend(self._alone(part))
            at += 1
        return found

    @property
    def _state(self) -> _State:
        return self._flat_from, self._units

    @_state.setter
    def _state(self, state: _State) -> None:
        self._flat_from, self._units = state

    def _again(self, head: str, row: Row) -> list[str]:
        before = self._state
        words = self.words(row)
        if before[0] is None or self._state == before:
            return [f"{head}({' '.join(words)})"]
        self._state = _UNITS  # a layer that flattens the first time is another the next time
        return ["flat", f"{head}({' '.join(self.words(row))})"]

    def _sum(self, main: Row, other: Row) -> list[str]:
        before = self._state
        branches = [self.words(main)]
        ends = [self._state]
        self._state = before
        branches.append(self.words(other))
        ends.append(self._state)
        if ends[0] != ends[1] and before[0] is not None:
            self._state = _UNITS
            return ["flat", *self._sum(main, other)]
        if ends[0] != ends[1]:
            for branch, end in zip(branches, ends, strict=True):
                branch += ["flat"] if end[0] is not None else []
            self._state = _UNITS
        first, *more = sorted((" ".join(branch) for branch in branches), key=lambda branch: not branch)
        return [f"res({' | '.join([first, *filter(None, more)])})"]

    def _convolution(self, row: Sequence[Part], at: int) -> tuple[str, int]:
        """The word of a block, and how many of the pieces behind the convolution are part of it."""
        conv = row[at]
        assert isinstance(conv, Piece)
        self._needs_map(conv)
        main, letter, used = conv, "c", 0
        groups = conv.options["groups"]
        pointwise = row[at + 1] if at + 1 < len(row) else None
        if (
            _is_depthwise(conv)
            and isinstance(pointwise, Piece)
            and pointwise.kind == "conv"
            and _geometry(pointwise) == _geometry(None)
            and pointwise.options["groups"] == 1
        ):
            main, letter, used, groups = pointwise, "s", 1, 1
        behind = [part.kind if isinstance(part, Piece) else "" for part in row[at + used + 1 : at + used + 3]]
        behind = [kind if _is_whole(row[at + used + 1 + place]) else "" for place, kind in enumerate(behind)]
        match behind:
            case ["relu", "bn"]:
                order, more = "", 2
            case ["bn", "relu"]:
                order, more = "r", 2
            case ["relu", *_]:
                order, more = "n", 1
            case _:
                order, more = "l", 0
        kernel, stride, padding, dilation = _geometry(conv)
        word = f"{letter}{main.options['channels']}" + "".join(
            f"{name}{_sides(value)}"
            for name, value, default in (("k", kernel, 3), ("p", padding, 0), ("s", stride, 1), ("d", dilation, 1))
            if value != (default, default)
        )
        word += (f"g{groups}" if groups != 1 else "") + ("" if main.options["bias"] else "b0") + order
        return word, used + more

    def _linear(self, piece: Piece, row: Sequence[Part], at: int) -> tuple[str, int]:
        self._flat_from, self._units = None, True
        word = f"fc{piece.options['units']}" + ("" if piece.options["bias"] else "b0")
        following = row[at + 1] if at + 1 < len(row) else None
        relu = isinstance(following, Piece) and following.kind == "relu"
        return (word, 1) if relu else (f"{word}l", 0)

    def _reshape(self, piece: Piece) -> None:
        before, after = piece.before, piece.after
        if not self._units and len(after) == 1 and prod(before) == after[0]:
            self._flat_from = before if len(before) == 3 else (after[0], 1, 1)
        elif after == self._flat_from:
            self._flat_from = None
        elif _trimmed(before) != _trimmed(after):
            reason = f"{function_name(piece.call)} makes {times(before)} into {times(after)}"
            raise Obstacle(reason, piece.call.place)

    def _needs_map(self, piece: Piece) -> None:
        if self._units or (self._flat_from is not None and prod(self._flat_from[1:]) > 1):
            raise Obstacle(f"{function_name(piece.call)} needs a map, after flattening", piece.call.place)

    def _pooled(self, piece: Piece) -> None:
        self._needs_map(piece)
        self._flat_from = (piece.before[0], 1, 1) if len(piece.after) == 1 else None

    def _alone(self, piece: Piece) -> list[str]:
        options, kind = piece.options, piece.kind
        match kind:
            case "max" | "mean":
                self._pooled(piece)
                return self._pool("p" if kind == "max" else "a", piece)
            case "gap":
                self._pooled(piece)
                return ["gap"] if prod(piece.before[1:]) > 1 else []
            case "drop":
                return [f"d{_digits(options['p'])}"]
            case "dropc":
                self._needs_map(piece)
                return [f"dc{_digits(options['p'])}"]
            case "scale":
                return [f"scale{_digits(options['factor'])}"] if options["factor"] != 1 else []
            case "lrelu":
                return [kind if options["slope"] == 0.01 else f"lrelu{_digits(options['slope'])}"]
            case "bn" | "ln" | "gn" | "in":
                word = f"gn{options['groups']}" if kind == "gn" else kind
                usual = kind != "in"
                word = word if options["affine"] == usual else f"{word}w{int(not usual)}"
                if self._flat_from is None or (kind == "bn" and prod(self._flat_from[1:]) == 1):
                    return [word]
                self._flat_from, self._units = None, True
                return ["flat", word]
            case "mean_of_axis" | "max_of_axis":
                name = function_name(piece.call)
                raise Obstacle(f"{name}: not over the rows and columns of maps", piece.call.place)
            case "log_softmax":
                raise Obstacle("log_softmax that is not at the end", piece.call.place)
        return [kind]

    def _pool(self, letter: str, piece: Piece) -> list[str]:
        size, stride, padding = (piece.options[name] for name in ("size", "stride", "padding"))
        if size == stride == (1, 1):
            return []
        word = f"{letter}{_sides(size)}"
        word += f"s{_sides(stride)}" if stride != size else ""
        return [word + (f"p{_sides(padding)}" if padding != (0, 0) else "")]


def _geometry(conv: Piece | None) -> tuple[_PAIR, _PAIR, _PAIR, _PAIR]:
    """Kernel, stride, padding and dilation; of a plain 1x1 convolution where none is given."""
    if conv is None:
        return (1, 1), (1, 1), (0, 0), (1, 1)
    kernel, stride, padding, dilation = (conv.options[name] for name in ("kernel", "stride", "padding", "dilation"))
    one = (1, 1)
    # The dilation of a kernel of one tap changes nothing.
    return kernel, stride, padding, one if kernel == one else dilation  # type: ignore[return-value]


def _is_depthwise(conv: Piece) -> bool:
    channels = conv.before[0]
    return channels > 1 and conv.options["groups"] == channels == conv.options["channels"] and not conv.options["bias"]


def _is_whole(part: Part) -> bool:
    """Whether a norm is one that a block has: with weight and bias."""
    return isinstance(part, Piece) and bool(part.options.get("affine", True))


def _sides(value: object) -> str:
    rows, columns = cast("tuple[int, int]", value)
    return f"{rows}" if rows == columns else f"{rows}x{columns}"


def _digits(value: object) -> str:
    """A number without an exponent, so that it reads back as the same."""
    text = f"{Decimal(repr(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _trimmed(shape: Sequence[int]) -> list[int]:
    return [side for side in shape if side != 1]
