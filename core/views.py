"""The views of a test image over which a score with test-time augmentation takes the mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """A change of an image: rotated (degrees), scaled (a factor), shifted (whole pixels down and to the right)."""

    rotation: float = 0.0
    size: float = 1.0
    down: int = 0
    right: int = 0


OTHER_VIEWS: Mapping[str, tuple[View, ...]] = {
    "none": (),
    "shift": (View(down=1), View(down=-1), View(right=1), View(right=-1)),
    "affine": (View(rotation=5), View(rotation=-5), View(size=1.05), View(size=0.95)),
}
"""The views beside the image itself."""


def views_in_words(kind: str, accuracy: float) -> str:
    """A score with test-time augmentation: ``with test-time augmentation (shift, 5 views): 99.55%``."""
    return f"with test-time augmentation ({kind}, {1 + len(OTHER_VIEWS.get(kind, ()))} views): {100 * accuracy:.2f}%"
