"""The copy of its teacher that a run keeps: the weights of the network, or networks, that it learns from.

teacher.safetensors   the tensors of each network, named by its number and their own names, and in its metadata what
                      each of them is

With it a run goes on whatever becomes of the run that it was taught by.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from core.errors import RunError, SpecError, one_line
from core.models.spec import parse
from core.models.summary import summarize
from core.task import MNIST_TASK, ImageTask

if TYPE_CHECKING:
    from torch import Tensor

    from core.config import TrainConfig
    from core.training.teacher import Teacher

TEACHER = "teacher.safetensors"
MAX_BYTES = 64 << 20
MAX_NETWORKS = 100


@dataclass(frozen=True, slots=True)
class TaughtBy:
    """One network of a teacher: the run that it is of, its layers in full, which of the run's weights they are, and how
    many of the training images that run held out, and was limited to (0: not at all)."""

    run_id: str
    spec: str
    weights: str
    epoch: int
    held_out: int
    limit_train: int

    def has_seen_held_out(self, config: TrainConfig) -> bool:
        """Whether it was trained on images that a run with this config holds out."""
        # Of as many images the same are held out first, whatever the seed (`core.training.sampling`).
        alike = self.limit_train == (config.limit_train or 0)
        return config.val_split > 0 and not (alike and self.held_out >= config.val_split)


@dataclass(frozen=True, slots=True)
class TeacherCopy:
    """A teacher, by `reference`, the id of a run or a group that was trained on `dataset`.

    `tensors` are those of its `networks`, on the CPU, under ``0.``, ``1.`` and so on.
    """

    reference: str
    dataset: str
    networks: tuple[TaughtBy, ...]
    tensors: Mapping[str, Tensor]

    @property
    def sha256(self) -> str:
        """The hash of all weights under the names that they have here: of one network another one than its run's."""
        from core.storage.tensors import weights_sha256

        return weights_sha256(self.tensors)

    @property
    def words(self) -> str:
        """What it is, for people."""
        from core.storage.tensors import weights_sha256

        if len(self.networks) > 1:
            count, own = len(self.networks), self.sha256
            return f"the mean probabilities of the {count} runs of group {self.reference} (weights {own[:12]})"
        one, own = self.networks[0], weights_sha256(self._tensors_of(0))
        return f"run {one.run_id} ({one.spec}; {one.weights} weights of epoch {one.epoch}, {own[:12]})"

    def _tensors_of(self, number: int) -> dict[str, Tensor]:
        """Those of one network, by their own names."""
        start = f"{number}."
        return {name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)}

    def teacher(self, config: TrainConfig, task: ImageTask = MNIST_TASK) -> Teacher:
        """The networks, ready for a run with this config, on images of a task, to learn from.

        Raises:
            RunError: when the weights do not fit.
        """
        import torch

        from core.models.build import build_model
        from core.training.teacher import Teacher

        modules = []
        for number, network in enumerate(self.networks):
            own = self._tensors_of(number)
            try:
                with torch.device("meta"):
                    module = build_model(summarize(parse(network.spec), task))
                for name, tensor in module.state_dict().items():
                    if name in own and own[name].dtype != tensor.dtype:
                        raise ValueError(f"{name} is {own[name].dtype}, not {tensor.dtype}")
                if not all(bool(tensor.isfinite().all()) for tensor in own.values()):
                    raise ValueError("a weight is not finite")
                module.load_state_dict(own, assign=True)
            except (RuntimeError, ValueError, SpecError) as error:
                reason = f"the weights of the teacher {network.run_id} do not fit its network: {one_line(error)}"
                raise RunError(reason, hint="choose another teacher") from error
            modules.append(module)
        words = self.words
        if any(network.has_seen_held_out(config) for network in self.networks):
            words += ", which was trained on images that are held out here"
        return Teacher(tuple(modules), words, self.sha256)

    def write(self, folder: Path) -> None:
        """Keep it in a run's folder.

        Raises:
            OSError: when it cannot be written.
        """
        from core.storage.tensors import write_tensors

        networks = json.dumps([asdict(network) for network in self.networks])
        metadata = {"reference": self.reference, "dataset": self.dataset, "networks": networks}
        write_tensors(folder / TEACHER, self.tensors, metadata)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What a run's folder holds.

        Raises:
            RunError: when there is nothing, or it is damaged.
        """
        from core.storage.tensors import read_tensors

        path = folder / TEACHER
        hint = "the run cannot go on without it: start a new run with the same config"
        try:
            tensors, metadata = read_tensors(path, MAX_BYTES, "teacher", hint)
        except FileNotFoundError as error:
            raise RunError(f"{path}: missing: the network that the run learns from", hint=hint) from error
        try:
            networks = tuple(TaughtBy(**_checked(entry)) for entry in json.loads(metadata["networks"]))
            reference, dataset = metadata["reference"], metadata["dataset"]
            if not 1 <= len(networks) <= MAX_NETWORKS:
                raise ValueError(f"it has {len(networks)} networks")
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise RunError(f"{path}: damaged: {one_line(error)}", hint=hint) from error
        return cls(reference, dataset, networks, tensors)


def _checked(entry: Any) -> dict[str, Any]:
    """The values of a `TaughtBy`; raises TypeError for anything else."""
    kinds = {"run_id": str, "spec": str, "weights": str, "epoch": int, "held_out": int, "limit_train": int}
    if not isinstance(entry, dict) or any(type(entry.get(key)) is not kind for key, kind in kinds.items()):
        raise TypeError("its networks are not described")
    return {key: entry[key] for key in kinds}
