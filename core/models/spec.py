"""Architectures: the one-line spec and the registry of named networks.

A spec is a row of words, one a block, e.g. ``c8p1 p2 c16 gap fc10``, some with others in brackets; `GRAMMAR` says what
each means. Parsing is plain Python, so that an interface can do it at each keystroke without importing torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches

from core.advice import Action, Advice, Tip
from core.errors import SpecError
from core.models.grammar.blocks import Block, Branching, Drop, Reuse, all_blocks, ends_in_norm
from core.models.grammar.diagnosis import NO_LAYER
from core.models.grammar.foreign import AS_CODE, is_from_elsewhere
from core.models.grammar.named import EXERCISE, REGISTRY, named_spec
from core.models.grammar.parser import blocks_of
from core.models.grammar.table import GRAMMAR
from core.models.grammar.words import joined, texts_of, words
from core.models.reference import is_reference
from core.task import MNIST_TASK, ImageTask

__all__ = [
    "EXERCISE",
    "GRAMMAR",
    "REGISTRY",
    "Architecture",
    "find",
    "is_user_module",
    "named_spec",
    "parse",
    "words",
]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A parsed spec. `tokens` are its words, by which errors name a block that does not fit; `blocks` have what stands
    in rep( ) as often as it is repeated."""

    name: str
    tokens: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def spec(self) -> str:
        return joined(self.tokens)

    def with_dropout(self, p: float) -> Architecture:
        """The same network with dropout `p` after each block that ends in a norm, inside others too."""
        if p == 0:
            return self
        normed = sorted({block.at for block in all_blocks(self.blocks) if ends_in_norm(block)})
        tokens = list(self.tokens)
        for at in reversed(normed):
            tokens.insert(at, f"d{Decimal(repr(p)):f}")  # all digits and no exponent, so that it reads back as p

        def widened(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
            found: list[Block] = []
            for block in blocks:
                match block:
                    case Branching(branches):
                        block = replace(block, branches=tuple(widened(branch) for branch in branches))
                    case Reuse(_, inner):
                        block = replace(block, blocks=widened(inner))
                    case _:
                        pass
                at = block.at + sum(before < block.at for before in normed)
                found.append(replace(block, at=at))
                if ends_in_norm(block):
                    found.append(Drop(p, at=at + 1))
            return tuple(found)

        return replace(self, tokens=tuple(tokens), blocks=widened(self.blocks))


def is_user_module(arch: str) -> bool:
    """Whether an architecture is a file of one's own, ``FILE.py:CLASS``, and no spec."""
    return is_reference(arch)


def find(arch: str, task: ImageTask = MNIST_TASK) -> Architecture:
    """A registered network by name, or else a spec.

    Blanks around it do not count. A named network ends in a logit for each class. Where these are not the ten of MNIST,
    it is not the network of that name any more, and has none.

    Raises:
        SpecError: when it is neither.
    """
    arch = arch.strip()
    if arch in REGISTRY:
        return parse(named_spec(arch, task.classes), name=arch if task.classes == MNIST_TASK.classes else "")
    try:
        return parse(arch)
    except SpecError as error:
        if advice := _advice(arch, error.reason):
            error.advice = advice
        raise


def _advice(arch: str, reason: str) -> Advice | None:
    """What to write in place of what is no spec, where that can be told from what it is."""
    texts = texts_of(arch)
    if len(texts) == 1 and (close := get_close_matches(arch, REGISTRY, n=1)):
        return Advice(f"did you mean {close[0]}?")
    if any(is_from_elsewhere(text) for text in texts):
        return Advice(f"{AS_CODE}; ", Tip(Action.EXPLAIN_LAYERS)) if AS_CODE not in reason else None
    if len(texts) == 1 and reason == NO_LAYER:
        networks = f"named networks are {', '.join(REGISTRY)}; if a preset is meant, "
        return Advice(networks, Tip(Action.LIST_PRESETS), " lists them")
    return None


def parse(spec: str, *, name: str = "") -> Architecture:
    """Parse a spec; `core.models.summary.summarize` checks whether its shapes fit.

    Raises:
        SpecError: naming the first word that is not in the grammar.
    """
    texts = texts_of(spec)
    return Architecture(name=name, tokens=texts, blocks=blocks_of(spec, texts))
