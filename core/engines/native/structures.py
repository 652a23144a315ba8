"""The structs of the kernels' `types.h`, as ctypes structures, and a check that both sides lay them out alike."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from itertools import zip_longest

_INTEGER, _REAL, _POINTER = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p

MAX_POOLING, MEAN_POOLING = 1, 2
RELU, LEAKY_RELU, ELU, SILU, GELU, TANH, SIGMOID = range(1, 8)

TENSORS = ("weight", "bias", "gamma", "beta", "running_mean", "running_variance", "batches")
"""Of a block's modules, as `FusedBlock.slots` lists them; the first four are parameters."""

GRADIENTS = ("weight_gradient", "bias_gradient", "gamma_gradient", "beta_gradient")
BY_OUTPUT = ("mean", "inverse_deviation", "scale", "shift", "statistics_add", "statistics_mul")
"""Arrays of one float64 for each output channel."""


def _of(kind: type, *names: str) -> Iterator[tuple[str, type]]:
    return ((name, kind) for name in names)


class TraversalStructure(ctypes.Structure):
    """`Traversal`."""

    _fields_ = (
        ("classes", _INTEGER),
        *_of(_POINTER, "first_pixel", "first_run", "run_length", "weight", "offset", "reads", "writes"),
    )


class MapsStructure(ctypes.Structure):
    """`Maps`."""

    _fields_ = (("vectors", _POINTER), ("size", _INTEGER))


class TransitionStructure(ctypes.Structure):
    """`Transition`."""

    _fields_ = (
        ("activation", _INTEGER),
        ("slope", _REAL),
        *_of(_POINTER, "channel_factors", "kept"),
        *_of(_INTEGER, "channel_stride", "pixel_stride"),
        ("kept_lanes", _POINTER),
        ("kept_factor", _REAL),
        *_of(_INTEGER, "pooling", "window_rows", "window_columns", "row_stride", "column_stride"),
        *_of(_INTEGER, "row_padding", "column_padding", "rows", "columns"),
    )


class BlockStructure(ctypes.Structure):
    """`Block`."""

    _fields_ = (
        *_of(_INTEGER, "inputs", "outputs", "in_rows", "in_columns", "rows", "columns", "kernel_rows"),
        *_of(_INTEGER, "kernel_columns", "row_stride", "column_stride", "row_padding", "column_padding"),
        *_of(_INTEGER, "row_dilation", "column_dilation", "depthwise", "copies", "transformed", "relu", "norm"),
        *_of(_INTEGER, "pooling", "window_rows", "window_columns"),
        ("transition", TransitionStructure),
        *_of(TraversalStructure, "forward", "backward"),
        *_of(_POINTER, "read_plane", "read_row", "read_column"),
        ("weight_strides", _INTEGER * 4),
        *_of(_POINTER, *TENSORS, *GRADIENTS),
        *_of(_REAL, "eps", "momentum"),
        *_of(MapsStructure, "raw", "out"),
        *_of(_POINTER, "packed", "packed_backward", "class_bias", *BY_OUTPUT),
        ("chunks", _INTEGER),
        *_of(_POINTER, "first_group", "partial_sums"),
    )


class WorkspaceStructure(ctypes.Structure):
    """`Workspace`."""

    _fields_ = (
        *_of(_INTEGER, "images", "threads", "spin", "timed", "training", "scratch_vectors"),
        ("scratch", _POINTER),
        *_of(MapsStructure, "input", "gradient"),
    )


class _FieldDescription(ctypes.Structure):
    """`FieldDescription`: a struct, a field of it or nothing, the field's offset and its size or the struct's."""

    _fields_ = (*_of(ctypes.c_char_p, "structure", "field"), *_of(_INTEGER, "offset", "size"))


_MIRRORED: dict[str, type[ctypes.Structure]] = {
    "Traversal": TraversalStructure,
    "Maps": MapsStructure,
    "Transition": TransitionStructure,
    "Block": BlockStructure,
    "Workspace": WorkspaceStructure,
}
_Layout = tuple[str, str, int, int]


def layout_difference(library: ctypes.CDLL) -> str:
    """The first field that the kernels have elsewhere or of another size than the structures here, or nothing."""
    for there, here in zip_longest(_described(library), _mirrored()):
        if there != here:
            name = ".".join(part for part in (there or here or ("",) * 2)[:2] if part)
            return f"{name} is {_in_words(there)} in C and {_in_words(here)} in Python"
    return ""


def _described(library: ctypes.CDLL) -> Iterator[_Layout]:
    library.field_descriptions.restype = ctypes.POINTER(_FieldDescription)
    for each in library.field_descriptions():
        if each.structure is None:
            return
        yield each.structure.decode(), each.field.decode(), each.offset, each.size


def _mirrored() -> Iterator[_Layout]:
    for structure, kind in _MIRRORED.items():
        for name, *_ in kind._fields_:
            field = getattr(kind, name)
            yield structure, name, field.offset, field.size
        yield structure, "", 0, ctypes.sizeof(kind)


def _in_words(layout: _Layout | None) -> str:
    return f"{layout[3]} bytes at {layout[2]}" if layout else "missing"
