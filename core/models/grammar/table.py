"""What each word of a spec means, for people."""

from __future__ import annotations

from collections.abc import Mapping

GRAMMAR: Mapping[str, str] = {
    "c16": "3x3 convolution to 16 channels with bias, then ReLU, then batch norm",
    "c16k1 c16p1 c16s2 c16d2": "kernel 1, padding 1, stride 2, dilation 2; they combine: c16k5p2s2",
    "c16k1x5p0x2": "any of these four as rows x columns: a kernel of 1 row and 5 columns",
    "c16b0 c16g4": "no bias; 4 groups",
    "c16r": "the ReLU last: convolution, batch norm, ReLU (most common: c16b0r)",
    "c16n": "the same without batch norm",
    "c10l": "linear: no ReLU and no norm (the classifier)",
    "s16": "depthwise-separable: 3x3 depthwise (no bias: the next layer's absorbs it), then 1x1 to 16 channels, "
    "then ReLU and batch norm; same modifiers but g",
    "p2 a2": "max pooling, average pooling",
    "p3s2p1 p3x2": "window 3, stride 2, padding 1; a window of 3 rows and 2 columns",
    "gap": "global average pooling",
    "d0.05 dc0.05": "dropout with that probability, of single values and of whole channels",
    "fc10": "fully connected (flattens first); one in the middle is followed by ReLU",
    "fc10b0 fc64l": "the same without bias; without ReLU",
    "bn gn4 ln in": "batch norm, group norm of 4 groups, layer norm over a whole image, instance norm",
    "bnw0 gn4w0 lnw0 inw1": "a norm without weight and bias (instance norm has none: w1 gives it some)",
    "relu elu silu gelu tanh sigmoid": "activations",
    "lrelu0.1": "leaky ReLU, with slope 0.1 below 0",
    "scale0.5": "multiplies by a constant",
    "flat": "flattens, for what is to come before the first fully connected layer",
    "res(c16p1 c16p1l)": "residual: what goes in plus what the layers make of it",
    "res(c16p1s2 c16p1l | c16k1s2l)": "the same with a second branch in place of what goes in",
    "rep3(c16p1)": "three times in a row, each with weights of its own",
    "tie3(c16p1)": "the same layers three times, with the same weights",
    "loop3(c16p1)": "the same, but each batch norm keeps running statistics for each of the times",
}
"""Examples, separated by blanks, and what they mean."""
