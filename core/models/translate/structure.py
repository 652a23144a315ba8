"""Takes a recorded graph apart into rows of layers, with the additions in it as residual blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import add

from torch import Tensor

from core.models.translate.functions import function_name
from core.models.translate.pieces import STATISTICS, UNSEEN, Obstacle, Piece
from core.models.translate.reading import piece_of
from core.models.translate.trace import Call, Place, Trace


@dataclass(frozen=True, slots=True)
class Sum:
    """Two rows of layers side by side, whose results are added; an empty row is the input as it is."""

    main: Row
    other: Row
    place: Place

    @property
    def key(self) -> tuple[object, ...]:
        return "sum", tuple(part.key for part in self.main), tuple(part.key for part in self.other)


@dataclass(frozen=True, slots=True)
class Repeated:
    """A row of layers that is gone through several times."""

    row: Row
    times: int

    @property
    def key(self) -> tuple[object, ...]:
        return "repeated", self.times, tuple(part.key for part in self.row)


@dataclass(frozen=True, slots=True)
class Turns:
    """Rows of layers one after another that have the same weights, and running statistics of their own."""

    rows: tuple[Row, ...]

    @property
    def key(self) -> tuple[object, ...]:
        return "turns", len(self.rows), tuple(part.key for part in self.rows[0])


Part = Piece | Sum | Repeated | Turns
Row = tuple[Part, ...]


def find_obstacles(traced: Trace) -> list[Obstacle]:
    """Every call on the way from the images to the output that no spec can say, in the order of the calls."""
    reason = "reads values, by which it may decide what to compute"
    found = [Obstacle(f"{name.strip('_')} {reason}", place) for name, place in traced.reads]
    if traced.output is None:
        return [*found, Obstacle(f"the output {UNSEEN}", Place())]
    for call in traced.calls:
        if call.target is not None and not _is_sum(call) and not _gates_itself(call):
            try:
                piece_of(call)
            except Obstacle as obstacle:
                found.append(obstacle)
    return found


def row_of(traced: Trace) -> Row:
    """The layers from the images to the output.

    Raises:
        Obstacle: the first one; `find_obstacles` has all of those that are single calls.
    """
    assert traced.output is not None, "a trace without an output has an obstacle"
    row = _Decomposition(traced).row(traced.output, traced.images)
    _check_once(row)
    return row


_OVER_AXES = ("mean_of_axis", "max_of_axis")


class _Decomposition:
    def __init__(self, traced: Trace) -> None:
        self._seen: set[Call] = set()
        self._depth: dict[Call, int] = {}
        self._dominator: dict[Call, Call] = {}  # the last call that everything on the way to a call goes through
        for call in traced.calls:
            inputs = call.inputs
            above = inputs[0] if inputs else None
            for other in inputs[1:]:
                assert above is not None
                above = self._common(above, other)
            self._depth[call] = 0 if above is None else self._depth[above] + 1
            if above is not None:
                self._dominator[call] = above

    def row(self, end: Call, start: Call) -> Row:
        """The layers on the way from `start`, which dominates `end`, to it."""
        parts: list[Part] = []
        while end is not start:
            if end in self._seen:
                raise Obstacle(f"{function_name(end)}: its result is used in several places", end.place)
            self._seen.add(end)
            if _is_sum(end):
                first, second = end.inputs
                above = self._common(first, second)
                branches = [self.row(branch, above) for branch in (first, second)]
                main, other = sorted(branches, key=lambda row: not row)  # the identity, if any, comes second
                parts.append(Sum(main, other, end.place) if main else _twice(end))
            elif gate := _gates_itself(end):
                self._seen.add(gate)
                (above,) = gate.inputs
                parts.append(replace(piece_of(gate), kind="silu"))
            else:
                parts.append(piece_of(end))
                (above,) = end.inputs
            end = above
        return _tied(_merged(parts[::-1]))

    def _common(self, first: Call, second: Call) -> Call:
        while first is not second:
            if self._depth[first] < self._depth[second]:
                first, second = second, first
            first = self._dominator[first]
        return first


def _twice(call: Call) -> Piece:
    """``x + x``."""
    shape = call.shape[1:]
    return Piece("scale", call, shape, shape, {"factor": 2.0})


def _is_sum(call: Call) -> bool:
    inputs = call.inputs
    return (
        function_name(call) == "add"
        and len(inputs) == 2
        and call.keywords.get("alpha", 1) == 1
        and inputs[0].shape == inputs[1].shape
    )


def _gates_itself(call: Call) -> Call | None:
    """The sigmoid of ``x * sigmoid(x)``, which is SiLU."""
    inputs = call.inputs
    if function_name(call) != "mul" or len(inputs) != 2:
        return None
    for gate, other in (inputs, inputs[::-1]):
        if gate.target is not None and function_name(gate) in ("sigmoid", "Sigmoid") and gate.inputs == [other]:
            return gate
    return None


def _merged(parts: Sequence[Part]) -> list[Part]:
    """Without changes of shape that amount to none, and with padding taken into the convolution behind it."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, Piece) and isinstance(last, Piece) and part.kind == last.kind == "reshape":
            part = replace(part, before=last.before)
            merged.pop()
        if isinstance(part, Piece) and part.kind == "reshape" and part.before == part.after:
            continue
        if isinstance(part, Piece) and isinstance(last, Piece) and _is_rest_of_pooling(last, part):
            part = _over_maps(part, last.before)
            merged.pop()
        if isinstance(last, Piece) and last.kind == "pad":
            if not isinstance(part, Piece) or part.kind not in ("pad", "conv"):
                raise _loose(last)
            padding = tuple(map(add, last.options["padding"], part.options["padding"]))  # type: ignore[arg-type]
            part = replace(part, before=last.before, options={**part.options, "padding": padding})
            merged.pop()
        merged.append(part)
    if merged and isinstance(merged[-1], Piece) and merged[-1].kind == "pad":
        raise _loose(merged[-1])
    return merged


def _is_rest_of_pooling(last: Piece, part: Piece) -> bool:
    """Whether two pieces together are the mean or maximum over maps: one side after the other, or both as one."""
    if part.kind not in _OVER_AXES or len(last.before) != 3 or (*part.after, 1, 1)[:3] != (last.before[0], 1, 1):
        return False
    return last.kind == part.kind or (last.kind == "reshape" and last.after[:-1] == last.before[:1])


def _over_maps(piece: Piece, before: tuple[int, ...]) -> Piece:
    """The mean or maximum over whole maps that a piece completes."""
    if piece.kind == "mean_of_axis":
        return replace(piece, kind="gap", before=before)
    size = before[1], before[2]
    return replace(piece, kind="max", before=before, options={"size": size, "stride": size, "padding": (0, 0)})


def _loose(padding: Piece) -> Obstacle:
    return Obstacle("padding with no convolution right behind it, which could take it over", padding.call.place)


def _tied(parts: Sequence[Part]) -> Row:
    """With layers that follow each other several times, with the same weights, as one that is repeated, or as turns
    where their running statistics are others each time."""
    row = list(parts)
    length = 1
    while length <= len(row) // 2:
        at, before = 0, len(row)
        while at + 2 * length <= len(row):
            starts = range(at, min(at + length, len(row) - 2 * length + 1) if _again(row, at, length) else at)
            found = [(start, again) for start in starts if (again := _again(row, start, length))]
            if found:  # activations before the first weights may be those of the layer before
                at, (part, used) = max(found, key=lambda one: (one[1][1], -_without_weights(row[one[0] :])))
                row[at : at + used] = [part]
            at += 1
        length = length + 1 if len(row) == before else 1  # what was repeated may be part of something that is
    return tuple(row)


def _without_weights(row: Sequence[Part]) -> int:
    """How many layers a row begins with that have no weights."""
    return next((at for at, part in enumerate(row) if not isinstance(part, Piece) or part.weights), len(row))


def _again(row: Sequence[Part], at: int, length: int) -> tuple[Part, int] | None:
    """What so many layers from there on are together with those behind them that have the same weights, and how many
    these are in all; None where there are none. Running statistics that come again after a while are of turns that are
    repeated as a whole."""
    times = _times_in_a_row(row, at, length)
    uses = [row[at + use * length : at + (use + 1) * length] for use in range(times)]
    tensors = [_tensors_of(use) for use in uses]
    period = next((use for use in range(1, times) if tensors[use] in tensors[:use]), times)
    if times == 1 or not (tensors[0] if period == 1 else any(piece.weights for piece in pieces_in(uses[0]))):
        return None
    periods = 1
    while tensors[periods * period : (periods + 1) * period] == tensors[:period]:
        periods += 1
    one = _tied(uses[0]) if period == 1 else (Turns(tuple(map(_tied, uses[:period]))),)
    return one[0] if periods == 1 else Repeated(one, periods), periods * period * length


def _times_in_a_row(row: Sequence[Part], at: int, length: int) -> int:
    keys = [part.key for part in row[at:]]
    times = 1
    while keys[times * length : (times + 1) * length] == keys[:length]:
        times += 1
    return times


def pieces_in(row: Sequence[Part], *, each_use: bool = False) -> Iterator[Piece]:
    """The pieces of a row, those of its branches included, in the order in which a spec names them; with `each_use` in
    the order in which they are used, so that those of a repeated part come as often."""
    for part in row:
        match part:
            case Piece():
                yield part
            case Sum(main, other):
                yield from pieces_in(main, each_use=each_use)
                yield from pieces_in(other, each_use=each_use)
            case Repeated(inner, times):
                for _ in range(times if each_use else 1):
                    yield from pieces_in(inner, each_use=each_use)
            case Turns(rows):
                for one in rows:
                    yield from pieces_in(one, each_use=each_use)


def _tensors_of(row: Sequence[Part]) -> list[int]:
    return [id(tensor) for piece in pieces_in(row) for tensor in piece.tensors.values()]


def _check_once(row: Row) -> None:
    used: set[int] = set()
    for piece, tensor in _own_tensors(row):
        if id(tensor) in used:
            reason = "shares weights in a way that no spec can say: only layers right behind each other can"
            raise Obstacle(f"{function_name(piece.call)} {reason}", piece.call.place)
        used.add(id(tensor))


def _own_tensors(row: Row, *, again: bool = False) -> Iterator[tuple[Piece, Tensor]]:
    """Each tensor that a spec has for a row, with its piece; for turns after the first the running statistics alone."""
    for part in row:
        match part:
            case Piece():
                named = part.tensors.items()
                yield from ((part, tensor) for name, tensor in named if name in STATISTICS or not again)
            case Sum(main, other):
                for side in (main, other):
                    yield from _own_tensors(side, again=again)
            case Repeated(inner, _):
                yield from _own_tensors(inner, again=again)
            case Turns(rows):
                for number, one in enumerate(rows):
                    yield from _own_tensors(one, again=again or number > 0)
