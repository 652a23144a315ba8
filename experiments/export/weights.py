"""The weights of a run as one safetensors file, described by its own metadata."""

from __future__ import annotations

from experiments.export.metadata import describe_network
from experiments.inference.network import StoredWeights, read_weights
from experiments.runs.config import stored_config
from experiments.runs.folder import Run


def render(run: Run, source: StoredWeights | None, _arch: str | None) -> bytes:
    """Tensors named as in the network's `state_dict`. No code is run, so a user's own module need not be named.

    Raises:
        RunError: when the run has no such weights, or its files are damaged.
    """
    from safetensors.torch import save

    source, weights, epoch = read_weights(run, source)
    return save(weights, describe_network(run, stored_config(run), weights, source, epoch))
