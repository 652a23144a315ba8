"""The layers that a module is found to have, and what no spec can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from core.models.translate.trace import Call, Place

Value = int | float | bool | tuple[int, int]

STATISTICS = frozenset({"running_mean", "running_var", "num_batches_tracked"})
"""The tensors of a norm that training does not learn, but counts."""
UNSEEN = "comes out of something that cannot be seen into: a custom autograd function, compiled code"


class Obstacle(Exception):
    """Something in a module that no spec can say, and where it is."""

    def __init__(self, reason: str, place: Place) -> None:
        super().__init__(reason)
        self.reason, self.place = reason, place

    def __str__(self) -> str:
        where = str(self.place)
        return f"{where}: {self.reason}" if where else self.reason


@dataclass(frozen=True, slots=True)
class Piece:
    """A layer of the grammar.

    `kind` is ``conv``, ``linear``, a norm (``bn gn ln in``), an activation's word, ``max``, ``mean``, ``gap``,
    ``mean_of_axis`` or ``max_of_axis`` (one), ``drop``, ``dropc``, ``scale``, ``pad``, ``reshape`` or ``log_softmax``.
    `tensors` are the module's own, by their names in torch's layer of that kind. `before` and `after` are the shapes of
    one image.
    """

    kind: str
    call: Call
    before: tuple[int, ...]
    after: tuple[int, ...]
    options: Mapping[str, Value] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def weights(self) -> tuple[tuple[str, int], ...]:
        """Which tensors it has, but for running statistics."""
        return tuple(sorted((name, id(one)) for name, one in self.tensors.items() if name not in STATISTICS))

    @property
    def key(self) -> tuple[object, ...]:
        """The same for two pieces only if they compute the same in training, with the same weights."""
        return self.kind, tuple(sorted(self.options.items())), self.weights
