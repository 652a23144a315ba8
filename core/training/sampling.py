"""Random draws of one epoch: order and augmentation, made before it starts.

Each stream of random numbers has its own generator, seeded by a hash of the run's seed, the stream's name and the
epoch. So the order of the images does not depend on whether they are augmented, every device sees the same order, and
any epoch can be drawn again by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import torch
from torch import Tensor

from core.augmentation.draws import draw_changes
from core.config import TrainConfig
from core.device.random_state import ScriptNumbers

VALIDATION_SEED = 20_000
"""The same for all runs, so that they hold out the same images and can be compared on them."""


@dataclass(frozen=True, slots=True)
class EpochDraw:
    """The order of the training images (N,) and, row by row in that order, how each is changed (None: not at all)."""

    order: Tensor
    changes: Tensor | None

    def tensors(self) -> dict[str, Tensor]:
        """The draw by name, for a checkpoint."""
        return {"order": self.order} if self.changes is None else {"order": self.order, "changes": self.changes}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], like: EpochDraw) -> EpochDraw:
        """The draw in a checkpoint, of as many images, and changed in as many ways, as one that was just made.

        Raises:
            ValueError: when it is none; an order could name images that there are not.
        """
        found = cls(tensors["order"], tensors.get("changes"))
        if not torch.equal(found.order.sort().values, torch.arange(len(like.order))):
            raise ValueError("its order is not one of the images")
        one, other = found.changes, like.changes
        if (one is None) != (other is None) or (
            one is not None
            and other is not None
            and ((one.shape, one.dtype) != (other.shape, other.dtype) or not bool(one.isfinite().all()))
        ):
            raise ValueError("its changes are not those of the images")
        return found


def draw_epoch(config: TrainConfig, count: int, epoch: int) -> EpochDraw:
    """Draw one epoch over `count` images, on the CPU."""
    order = torch.randperm(count, generator=_generator(config.seed, "order", epoch))
    generator = _generator(config.seed, "augment", epoch)
    return EpochDraw(order, draw_changes(config, count, generator))


def seed_dropout(config: TrainConfig, epoch: int) -> None:
    """Fix torch's global random state, which only dropout still draws from once training has begun."""
    torch.manual_seed(_number(config.seed, "dropout", epoch))


def seed_script(numbers: ScriptNumbers, config: TrainConfig, epoch: int) -> None:
    """Fix what a module of somebody's own draws from `random` and `numpy.random` in an epoch."""
    numbers.seed(_number(config.seed, "script", epoch))


def seed_scoring(numbers: ScriptNumbers, config: TrainConfig, epoch: int) -> None:
    """Fix all that such a module draws when it is scored, so that a score that is begun again comes out the same."""
    torch.manual_seed(_number(config.seed, "scoring", epoch))
    numbers.seed(_number(config.seed, "scoring", epoch))


def split_validation(count: int, held_out: int) -> tuple[Tensor, Tensor]:
    """Indices of the training and of the held-out images, both in ascending order."""
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(VALIDATION_SEED))
    return shuffled[held_out:].sort().values, shuffled[:held_out].sort().values


def _generator(seed: int, stream: str, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed(_number(seed, stream, epoch))


def _number(seed: int, stream: str, epoch: int) -> int:
    return int.from_bytes(sha256(f"{seed}/{stream}/{epoch}".encode()).digest()[:7])
