"""Test images and what networks say of them, picked and put in order for the screen."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from core.errors import InvalidValue
from tui.drawing.digit import Digit, Opinion

if TYPE_CHECKING:
    from core.inspection.confusion import ClassScore
    from experiments.inference.scoring import Scored


class Confusions:
    """One network's test images by what they are and what they are taken for."""

    def __init__(self, scored: Scored) -> None:
        self.scored = scored
        self._cells: dict[tuple[int, int], list[int]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the classes."""
        return self.scored.network.classes

    @cached_property
    def counts(self) -> list[list[int]]:
        """Images by true class, then predicted one."""
        from core.inspection.confusion import confusion_matrix

        counts: list[list[int]] = confusion_matrix(
            self.scored.labels, self.scored.outputs.predictions, len(self.names)
        ).tolist()
        return counts

    @cached_property
    def classes(self) -> list[ClassScore]:
        import torch

        from core.inspection.confusion import class_scores

        return class_scores(torch.tensor(self.counts))

    @cached_property
    def worst(self) -> tuple[int, int] | None:
        """The true and the predicted class of the commonest mistake; None when there are no mistakes."""
        import torch

        from core.inspection.confusion import most_confused

        return most_confused(torch.tensor(self.counts))

    def cell(self, true: int, predicted: int) -> list[int]:
        """The images of a class that were taken for another, or for itself, surest first."""
        from core.inspection.confusion import surest_first

        if (true, predicted) not in self._cells:
            outputs = self.scored.outputs
            chosen = (self.scored.labels == true) & (outputs.predictions == predicted)
            self._cells[true, predicted] = surest_first(outputs, chosen).tolist()
        return self._cells[true, predicted]

    def digit(self, index: int) -> Digit:
        return digit_of(index, self.scored)


def digit_of(index: int, *networks: Scored, who: tuple[str, ...] = ("",)) -> Digit:
    """A test image with what each network, called `who`, says of it."""
    first = networks[0]
    opinions = tuple(
        Opinion(scored.outputs.probabilities[index].numpy(), int(scored.outputs.predictions[index]), name)
        for scored, name in zip(networks, who, strict=True)
    )
    names = first.network.classes
    return Digit(index, first.images[index].numpy(), int(first.labels[index]), opinions, names)


def disagreements(one: Scored, other: Scored) -> list[int]:
    """The images that two networks take for different classes, those first of which both are surest.

    Raises:
        InvalidValue: when they were not scored on the same images.
    """
    import torch

    if len(one.images) != len(other.images) or not torch.equal(one.labels, other.labels):
        theirs, ours = (f"{len(scored.images):,} images of {scored.dataset}" for scored in (other, one))
        reason = f"was scored on {theirs}, {one.run.id} on {ours}"
        raise InvalidValue("run", other.run.id, reason, hint="compare runs on the same test images")
    differ = one.outputs.predictions != other.outputs.predictions
    indices = differ.nonzero()[:, 0]
    sureness = torch.minimum(one.outputs.confidence[indices], other.outputs.confidence[indices])
    order: list[int] = indices[sureness.argsort(descending=True, stable=True)].tolist()
    return order
