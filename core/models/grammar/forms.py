"""How the words of a spec are written."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PAIR = r"\d+(?:x\d+)?"
_DECIMAL = r"\d*\.?\d+"

CONV = re.compile(rf"([cs])(\d+)((?:[kpsd]{_PAIR}|[bg]\d+|[nlr])*)", re.ASCII)
CONV_MODIFIER = re.compile(rf"([kpsdbg])({_PAIR})|([nlr])", re.ASCII)
POOL = re.compile(rf"([pa])({_PAIR})((?:[sp]{_PAIR})*)", re.ASCII)
POOL_MODIFIER = re.compile(rf"([sp])({_PAIR})", re.ASCII)
DROP = re.compile(rf"(dc?)({_DECIMAL})", re.ASCII)
DENSE = re.compile(r"fc(\d+)((?:b\d+|l)*)", re.ASCII)
NORM = re.compile(r"(bn|ln|in|gn(?=\d))((?<=gn)\d+|)(?:w(\d+))?", re.ASCII)
LEAKY = re.compile(rf"lrelu({_DECIMAL})?", re.ASCII)
SCALE = re.compile(rf"scale({_DECIMAL})", re.ASCII)
FLAT = re.compile("gap|flat")
HEAD = re.compile(r"(res)|(rep|tie|loop)(\d+)", re.ASCII)
"""What stands before a bracket."""

ACTIVATIONS: Mapping[str, str] = {
    "relu": "ReLU",
    "elu": "ELU",
    "silu": "SiLU",
    "gelu": "GELU",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
}
"""Activations without a number, and torch's classes."""
