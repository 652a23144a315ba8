"""The characters that a page or an image may have, whatever the texts hold that it is made of."""

from __future__ import annotations

import re

_UNWANTED = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # no XML may have them
    "|[\ud800-\udfff\ufffe\uffff]"  # are no characters
    "|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"  # turn a text round, so that it reads as another
)


def well_formed(document: str) -> bytes:
    """A page or an image in UTF-8; for a character that it may not have, Python's way of writing it."""
    return _UNWANTED.sub(lambda found: ascii(found[0])[1:-1], document).encode()
