"""The reason why a word is none of the grammar, naming the part of it that is wrong."""

from __future__ import annotations

import re

from core.models.grammar.foreign import as_file, as_layer, as_parted, is_word
from core.models.grammar.forms import ACTIVATIONS, CONV, DENSE, DROP, FLAT, LEAKY, NORM, POOL, SCALE
from core.models.grammar.named import REGISTRY

NO_LAYER = (
    "no such layer; layers are c16 s16 p2 a2 gap d0.05 dc0.05 fc10 bn gn4 ln in relu res( ) rep2( ) tie2( ) loop2( )"
)

SMALLEST = {
    "c": "c16",
    "s": "s16",
    "p": "p2",
    "a": "a2",
    "d": "d0.05",
    "dc": "dc0.05",
    "fc": "fc10",
    "gn": "gn4",
    "scale": "scale0.5",
    "rep": "rep2(c16p1)",
    "tie": "tie2(c16p1)",
    "loop": "loop2(c16p1)",
}
"""For each kind of layer that takes a number, how one is written."""

_NUMBERLESS = re.compile(rf"(bn|ln|in|gap|flat|res|{'|'.join(ACTIVATIONS)})\d", re.ASCII)


TEMPLATE = "choices in { } and [ ] make a template, of which a search takes one network after another; a run has one"


def what_is_wrong(token: str) -> str:
    if parted := as_parted(token):
        return parted
    if any(mark in token for mark in "{}[]"):
        return TEMPLATE
    small = token.lower()
    if small != token and is_word(token):
        return f"layers are written in small letters: {small}"
    if token in REGISTRY:
        return f"is a whole network, not a layer of one; its layers are {REGISTRY[token]}"
    if foreign := as_layer(token) or as_file(token):
        return foreign
    if token in SMALLEST:
        return f"{token} needs a number, as in {SMALLEST[token]}"
    if match := CONV.match(token):
        return _wrong_modifier(token[match.end() :], match[3][-1:], "kpsdbg", "nlr")
    if match := POOL.match(token):
        return _wrong_modifier(token[match.end() :], "", "sp", "")
    if match := DENSE.match(token):
        return _wrong_modifier(token[match.end() :], match[2][-1:], "b", "l")
    if match := _NUMBERLESS.match(token):
        return f"{match[1]} takes no number"
    if match := NORM.match(token):
        return _wrong_modifier(token[match.end() :], match[3] or match[1][-1:], "w", "")
    return _too_much(token)


def why_so_long(token: str, most: int) -> str:
    """The reason for a word of more characters than any has."""
    return as_parted(token) or as_file(token) or f"longer than {most} characters"


def _too_much(token: str) -> str:
    """The reason, for words without modifiers."""
    if match := FLAT.match(token):
        kind = "global pooling" if match[0] == "gap" else "flattening"
        return f"{token[match.end() :]!r} is too much; {kind} is written {match[0]}"
    if DROP.match(token):
        return "dropout is written in plain digits, as in d0.05"
    if SCALE.match(token) or LEAKY.match(token):
        return "the number is written in plain digits, as in scale0.5 and lrelu0.1"
    return NO_LAYER


def _wrong_modifier(rest: str, before: str, numbered: str, flags: str) -> str:
    """The reason why `rest`, the end of a word, does not begin with a modifier; `before` is the character before it,
    `numbered` are the modifiers that take a number and `flags` those that take none."""
    letter = rest[0]
    if letter in numbered:
        return f"{letter} needs a number, as in {letter}{0 if letter in 'bw' else 2}"
    if letter.isdigit() and before in tuple(flags):
        return f"{before} takes no number"
    if letter.lower() in numbered + flags and letter != letter.lower():
        return f"modifiers are written in small letters: {letter.lower()}"
    known = " ".join(numbered + flags)
    return f"{letter!r} is not a modifier; " + (
        f"modifiers are {known}" if len(known) > 1 else f"the modifier is {known}"
    )
