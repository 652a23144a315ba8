"""The structs of `kernels.c`, as ctypes structures."""

from __future__ import annotations

import ctypes

_TABLES = ("first_pixel", "first_run", "length", "weight", "offset", "reads", "writes")


class TraversalStructure(ctypes.Structure):
    """`Sweep` in kernels.c."""

    _fields_ = (("classes", ctypes.c_int64), *((name, ctypes.c_void_p) for name in _TABLES))


_INTEGERS = (
    *("inputs", "outputs", "in_rows", "in_columns", "rows", "columns", "kernel_rows", "kernel_columns"),
    *("stride", "padding", "dilation", "depthwise", "relu", "norm", "pooling", "window_rows", "window_columns"),
)
TENSORS = ("weight", "bias", "gamma", "beta", "running_mean", "running_variance", "batches")
GRADIENTS = ("weight_gradient", "bias_gradient", "gamma_gradient", "beta_gradient")
BY_OUTPUT = ("mean", "inverse", "scale", "shift", "add", "mul")
_BUFFERS = ("packed", "packed_back", "class_bias", *BY_OUTPUT)


class MapsStructure(ctypes.Structure):
    """`Maps` in kernels.c."""

    _fields_ = (("vectors", ctypes.c_void_p), ("size", ctypes.c_int64))


class BlockStructure(ctypes.Structure):
    """`Block` in kernels.c."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _INTEGERS),
        ("forward", TraversalStructure),
        ("backward", TraversalStructure),
        *((name, ctypes.c_void_p) for name in ("stream_plane", "stream_row", "stream_column")),
        ("weight_strides", ctypes.c_int64 * 4),
        *((name, ctypes.c_void_p) for name in (*TENSORS, *GRADIENTS)),
        ("eps", ctypes.c_double),
        ("momentum", ctypes.c_double),
        ("raw", MapsStructure),
        ("out", MapsStructure),
        *((name, ctypes.c_void_p) for name in _BUFFERS),
        ("shares", ctypes.c_int64),
        ("first_group", ctypes.c_void_p),
        ("found", ctypes.c_void_p),
    )


class WorkStructure(ctypes.Structure):
    """`Work` in kernels.c."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("images", "threads", "training", "scratch")),
        ("memory", ctypes.c_void_p),
        ("input", MapsStructure),
        ("gradient", MapsStructure),
    )
