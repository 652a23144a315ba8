"""What is typed in place of a spec: layers as PyTorch and Keras call them, names of files, other signs than blanks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from core.models.grammar.forms import ACTIVATIONS, CONV, DENSE, DROP, FLAT, HEAD, LEAKY, NORM, POOL, SCALE

FORMS = (CONV, POOL, DROP, DENSE, NORM, LEAKY, SCALE, FLAT, HEAD)
PARTED = "layers are parted by blanks"
CODE = "is code, not a layer of a spec"
AS_CODE = "a network in PyTorch code is given as FILE.py:CLASS"

_LONGEST = 40
_PARTS = 4
_SIGNS = re.compile(r"->|=>|[-,;:+>/&→⇒–—]")  # noqa: RUF001
_AROUND = "'\"`[]“”‘’"  # noqa: RUF001 - what is copied from a text has such marks
_NUMBERED = re.compile(r"[-_=:]*[\dx.]*[:,;]*$", re.ASCII)
_NAME = re.compile(r"[^\W\d]\w*(?:\(|$)")
_LIBRARIES = ("nn", "torch", "F", "functional", "keras", "layers", "tf", "tensorflow", "models", "self")

_CONVOLUTION = "a convolution is written c16k3l, and c16k3 with ReLU and batch norm behind it"
_LINEAR = "a fully connected layer is written fc10"
_MAX_POOL, _AVERAGE_POOL = "max pooling is written p2", "average pooling is written a2"
_GLOBAL_POOL = "global average pooling is written gap"
_BATCH_NORM = "batch norm is written bn"
_SEPARABLE = "a depthwise-separable convolution is written s16"
_DROPOUT, _CHANNEL_DROPOUT = "dropout is written d0.05", "dropout of whole channels is written dc0.05"
_LOGITS = "the softmax is in the loss: a network ends in its logits"

LAYERS: Mapping[str, str] = {
    **dict.fromkeys(("conv", "conv2d", "convolution", "convolution2d"), _CONVOLUTION),
    **dict.fromkeys(("linear", "dense", "lazylinear", "fullyconnected"), _LINEAR),
    **dict.fromkeys(("maxpool", "maxpool2d", "max_pool2d", "maxpooling", "maxpooling2d", "pool"), _MAX_POOL),
    **dict.fromkeys(("avgpool", "avgpool2d", "avg_pool2d", "averagepooling2d"), _AVERAGE_POOL),
    **dict.fromkeys(("adaptiveavgpool2d", "adaptive_avg_pool2d", "globalaveragepooling2d"), _GLOBAL_POOL),
    **dict.fromkeys(("batchnorm", "batchnorm1d", "batchnorm2d", "batchnormalization"), _BATCH_NORM),
    **dict.fromkeys(("separableconv2d", "depthwiseconv2d"), _SEPARABLE),
    **dict.fromkeys(("dropout", "dropout1d"), _DROPOUT),
    **dict.fromkeys(("dropout2d", "spatialdropout2d"), _CHANNEL_DROPOUT),
    **dict.fromkeys(("softmax", "logsoftmax", "log_softmax"), _LOGITS),
    **dict.fromkeys(("layernorm", "layernormalization"), "layer norm is written ln"),
    **dict.fromkeys(("leakyrelu", "leaky_relu"), "leaky ReLU is written lrelu0.1"),
    "groupnorm": "group norm is written gn4",
    "groupnormalization": "group norm is written gn4",
    "instancenorm2d": "instance norm is written in",
    "flatten": "flattening is written flat",
    "swish": "this activation is written silu",
    **dict.fromkeys(("sequential", "import", "from", "class", "def", "input", "inputlayer", "layer"), CODE),
}
"""What is said of each of their names, in small letters."""

_STORED = (
    *(".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".pkl", ".npz"),
    *(".onnx", ".h5", ".hdf5", ".keras", ".pb", ".tflite", ".mlmodel"),
)
STORED = f"a file of weights or an exported network is no spec; {AS_CODE}"


def is_word(text: str) -> bool:
    """Whether it is written as a word of the grammar, in letters of any size."""
    small = text.lower()
    return len(text) <= _LONGEST and (small in ACTIVATIONS or any(form.fullmatch(small) for form in FORMS))


def as_layer(token: str) -> str:
    """What the word is where it is a layer of PyTorch or Keras, or other code; empty where it is not."""
    path, _, name = token.rpartition(".")
    for spelled in (name, _NUMBERED.sub("", name) if len(name) <= _LONGEST else ""):
        if path and spelled.lower() in ACTIVATIONS:
            return f"this activation is written {spelled.lower()}"
        if reason := LAYERS.get(spelled.lower(), ""):
            return reason
    if _is_dotted(token):
        return CODE
    # The number at its end may have a point in it.
    return LAYERS.get(_NUMBERED.sub("", token).lower(), "") if len(token) <= _LONGEST else ""


def as_file(token: str) -> str:
    """What is wrong with the word as the name of a file; empty where it is not like one."""
    file, colon, name = token.rpartition(":")
    named = bool(colon) and _NAME.match(name) is not None
    path = file if named else token
    if path.lower().endswith(_STORED):
        return STORED
    if named and "." not in path.replace("\\", "/").rpartition("/")[2] and path and not is_word(path):
        return f"the name of its file is without .py; {AS_CODE}"
    if named or "/" in token or "\\" in token or token.startswith("~"):
        return f"is no spec; {AS_CODE}"
    return ""


def as_parted(token: str) -> str:
    """What is wrong where the word is several, with other signs than blanks between them; empty where it is not."""
    if "{" in token or "}" in token:
        return ""
    parts = [part.strip(_AROUND) for part in _SIGNS.split(token)]
    found = [part for part in parts if part]
    if len(parts) > 1 and all(map(is_word, found)):
        return f"{PARTED}, as in {_example(found)}"
    if token.strip(_AROUND) != token and "[" not in token and "]" not in token:
        return "layers are written without quotation marks"
    return ""


def is_from_elsewhere(token: str) -> bool:
    """Whether the word comes from code, written as there, or is the name of a file."""
    if as_parted(token):
        return False
    layer = as_layer(token)
    return bool(as_file(token) or (layer and (layer == CODE or token != token.lower() or _is_dotted(token))))


def _is_dotted(token: str) -> bool:
    library, dot, _ = token.partition(".")
    return bool(dot) and library in _LIBRARIES


def _example(found: Sequence[str]) -> str:
    return " ".join(found[:_PARTS]).lower() if len(found) > 1 else "c8 p2"
