"""The layer table of any module."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from core.models.build import count_parameters
from core.models.summary import UNLISTED_KINDS, Layer, Shape, Summary, label_rows


def summarize_module(model: nn.Module, name: str) -> Summary:
    """The layer table of any module, by torchinfo.

    torchinfo changes the random state and, in train mode, batch-norm statistics, so it gets a copy in evaluation mode.
    The receptive field of free-form code is not known. MACs are as torchinfo counts them, with biases and batch norms.
    """
    from torchinfo import summary as torchinfo_summary

    with torch.random.fork_rng(devices=[]):
        info = torchinfo_summary(
            deepcopy(model), input_size=(2, 1, 28, 28), device="cpu", mode="eval", verbose=0, col_names=()
        )
    layers = [
        Layer(
            kind=row.class_name,
            output_shape=_shape(row.output_size),
            receptive_field=None,
            params=0 if row.is_recursive else max(row.num_params, 0),  # a layer used again has no more of them
            macs=row.macs // 2,  # for the batch of two
        )
        for row in info.summary_list
        if row.is_leaf_layer and row.class_name not in UNLISTED_KINDS
    ]
    return Summary(
        name=name,
        spec=name,
        total_params=count_parameters(model),
        trainable_params=count_parameters(model, trainable_only=True),
        macs=sum(layer.macs for layer in layers),
        receptive_field=None,
        layers=label_rows(layers),
    )


def _shape(size: list[int]) -> Shape:
    """torchinfo's output size, batch first, as (channels, height, width) with ones for what is missing."""
    sides = [*size[1:4], 1, 1, 1][:3]
    return (sides[0], sides[1], sides[2])
