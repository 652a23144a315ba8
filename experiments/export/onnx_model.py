"""A run's network as an ONNX model that takes the pixels of an image, not standardised."""

from __future__ import annotations

import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, cast

from core.advice import Action, Tip
from core.errors import InvalidValue, one_line
from experiments.export.metadata import describe_network
from experiments.inference.network import StoredWeights, load_network
from experiments.runs.folder import Run

if TYPE_CHECKING:
    from torch import nn

    from core.training.evaluate import Pixels

DESCRIPTION = """Input image: float32 (N, 1, {size}, {size}), pixels from 0 (black) to 1, for any N; the standardisation
by the data set's mean and deviation is part of the model. Output logits: float32 (N, {classes})."""


def render(run: Run, source: StoredWeights | None, arch: str | None) -> bytes:
    """The serialised model; spec, config and scores are in its metadata.

    Raises:
        RunError: when the run has no such weights, or its files are damaged.
        InvalidValue: when `arch` is missing or not asked for, or when torch cannot express the network in ONNX.
    """
    import torch

    network = load_network(run, source, arch=arch)
    batch = torch.export.Dim("N", min=1)
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")  # from the exporter itself; it also prints graphs that it cannot translate
        try:
            program = torch.onnx.export(
                _with_standardisation(network.module, network.pixels),
                (torch.zeros(2, 1, network.task.size, network.task.size),),
                input_names=["image"],
                output_names=["logits"],
                dynamic_shapes=({0: batch},),
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            cause = error.__cause__ or error
            reason = f"torch cannot translate {network.config.arch}: {type(cause).__name__}: {one_line(cause, 100)}"
            raise InvalidValue("format", "onnx", reason, hint=Tip(Action.SET, "format", "safetensors")) from error
    assert program is not None, "the exporter returns a program unless it is given a file"
    model = program.model_proto
    facts = describe_network(run, network.config, network.weights, network.source, network.epoch)
    for key, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    model.doc_string = " ".join(DESCRIPTION.format(size=network.task.size, classes=network.task.classes).split())
    return cast("bytes", model.SerializeToString())


def _with_standardisation(module: nn.Module, pixels: Pixels) -> nn.Module:
    from torch import Tensor, nn

    class Standardised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = module

        def forward(self, image: Tensor) -> Tensor:
            logits: Tensor = self.network((image - pixels.mean) / pixels.std)
            return logits

    return Standardised().eval()
