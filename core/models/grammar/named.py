"""The registry of named networks."""

from __future__ import annotations

from collections.abc import Mapping

REGISTRY: Mapping[str, str] = {
    "conv9": "c8 c8 c16 p2 c16 c32 c16k1 c16 c32 c10l",
    "conv5": "c8p1 p2 c16 c32 p2 c32n c10l",
    "gap17k": "c12p1 c16p1 p2 c16p1 c22p1 p2 c22p1 c24 gap fc10",
    "gap7k": "c8p1 c10p1 p2 c10p1 c14p1 p2 c14p1 c16p1 gap fc10",
    "sep8k": "c16p1 s32p1 p2 s40p1 s48p1 p2 s56p1 gap fc10",
    "sep4k": "c10p1 s20p1 p2 s28p1 s32p1 p2 s36p1 gap fc10",
}
"""Named networks, all below 20,000 parameters, with the ten logits of MNIST."""

EXERCISE = ("conv9", "conv5")
"""The networks of the course exercise."""


def named_spec(name: str, classes: int) -> str:
    """The spec of a named network, its last layer giving so many logits."""
    *others, last = REGISTRY[name].split()
    return " ".join([*others, last.replace("10", str(classes))])
