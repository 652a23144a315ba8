"""The words of a spec as rows of blocks, with what stands in brackets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.errors import SpecError
from core.models.grammar.blocks import Block, Branching, Dense, Reuse, all_blocks
from core.models.grammar.forms import HEAD
from core.models.grammar.named import REGISTRY
from core.models.grammar.tokens import Fail, block_of

MAX_LAYERS = 256
"""Words that stand for a layer, those inside rep, tie and loop counted each time."""
MAX_TIMES = 64
MAX_DEPTH = 8
"""Brackets within brackets."""


def blocks_of(spec: str, texts: Sequence[str]) -> tuple[Block, ...]:
    """The blocks of a spec, given with its words.

    Raises:
        SpecError: naming the first word that is not in the grammar.
    """
    if not texts:
        raise SpecError(
            spec, "nothing", 1, "a network needs at least one layer", hint=f"for example: {REGISTRY['conv5']}"
        )
    parser = _Parser(spec, texts)
    row = parser.row(0)
    if parser.next < len(texts):
        closing = parser.ahead == ")"
        raise parser.fail(
            parser.next, ") closes nothing" if closing else "| separates the branches of res( ), and nothing else"
        )
    return _with_classifier(row.blocks)


def read_word(text: str) -> None:
    """Check one word by itself, without what may have to stand behind it.

    Raises:
        SpecError: when it is not in the grammar.
    """

    def fail(reason: str) -> SpecError:
        return SpecError(text, text, 1, reason)

    head = HEAD.fullmatch(text)
    if head is None:
        block_of(text, fail)
    elif not head[1]:
        _times(head[3], fail)


class _Row:
    """Blocks in a row, and the layers that they are with each repetition."""

    def __init__(self) -> None:
        self.blocks: tuple[Block, ...] = ()
        self.layers = 0

    def add(self, blocks: tuple[Block, ...], layers: int) -> bool:
        """Whether there was room for them."""
        self.layers += layers
        if self.layers > MAX_LAYERS:
            return False
        self.blocks += blocks
        return True


class _Parser:
    def __init__(self, spec: str, texts: Sequence[str]) -> None:
        self._spec, self._texts = spec, texts
        self.next = 0

    @property
    def ahead(self) -> str:
        """The next word, empty at the end."""
        return self._texts[self.next] if self.next < len(self._texts) else ""

    def fail(self, index: int, reason: str) -> SpecError:
        return SpecError(self._spec, self._texts[index], index + 1, reason)

    def row(self, depth: int) -> _Row:
        """The blocks up to the end, a closing bracket or a bar, which stays ahead."""
        row = _Row()
        while self.ahead not in ("", ")", "|"):
            index = self.next
            self.next += 1
            blocks, layers = self._one(index, depth)
            if not row.add(blocks, layers):
                raise self.fail(index, f"at most {MAX_LAYERS} layers")
        return row

    def _one(self, index: int, depth: int) -> tuple[tuple[Block, ...], int]:
        """The blocks that begin with the word at the index, and the layers that they are."""
        text = self._texts[index]
        if text == "(":
            raise self.fail(index, "a bracket follows res, rep2, tie2 or loop2")
        head = HEAD.fullmatch(text)
        if head is None:
            block = block_of(text, lambda reason: self.fail(index, reason))
            return (replace(block, at=index + 1),), 1
        branches = self._bracket(index, depth)
        layers = sum(branch.layers for branch in branches)
        if head[1]:
            return (Branching(tuple(branch.blocks for branch in branches), at=index + 1),), layers
        times = _times(head[3], lambda reason: self.fail(index, reason))
        (branch,) = branches
        if times * layers > MAX_LAYERS:
            raise self.fail(index, f"{times} times {layers} layers is over the {MAX_LAYERS} that a network may have")
        if head[2] == "rep":
            return times * branch.blocks, times * layers
        return (Reuse(times, branch.blocks, head[2] == "loop", at=index + 1),), times * layers

    def _bracket(self, head: int, depth: int) -> list[_Row]:
        """The rows in the brackets that follow the word at `head`; more than one only for res."""
        name = self._texts[head]
        if self.ahead != "(":
            raise self.fail(head, f"needs layers in brackets, as in {name}(c16p1)")
        if depth == MAX_DEPTH:
            raise self.fail(head, f"brackets may be {MAX_DEPTH} deep")
        rows: list[_Row] = []
        while self.ahead not in ("", ")"):
            bar = self.next
            self.next += 1  # the bracket or the bar
            if rows and name != "res":
                raise self.fail(bar, "| separates the branches of res( ), and nothing else")
            rows.append(self.row(depth + 1))
            if not rows[-1].blocks and self.ahead:
                raise self.fail(bar, "no layers follow")
        if not self.ahead:
            raise self.fail(head, "its bracket is not closed: ) is missing")
        self.next += 1
        return rows


def _times(digits: str, fail: Fail) -> int:
    times = int(digits) if len(digits) <= 6 else MAX_TIMES + 1
    if not 1 <= times <= MAX_TIMES:
        raise fail(f"times must be 1 to {MAX_TIMES}")
    return times


def _with_classifier(blocks: tuple[Block, ...], *, is_followed: bool = False) -> tuple[Block, ...]:
    """The blocks without ReLU after each fully connected layer that no other follows on its way to the logits."""
    found: list[Block] = []
    for block in reversed(blocks):
        match block:
            case Dense() if not is_followed:
                found.append(replace(block, relu=False))
            case Branching(branches):
                rows = tuple(_with_classifier(branch, is_followed=is_followed) for branch in branches)
                found.append(replace(block, branches=rows))
            case Reuse(blocks=inner):
                found.append(replace(block, blocks=_with_classifier(inner, is_followed=is_followed)))
            case _:
                found.append(block)
        is_followed = is_followed or any(isinstance(one, Dense) for one in all_blocks([block]))
    return tuple(reversed(found))
