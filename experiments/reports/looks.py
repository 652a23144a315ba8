"""How the curves of charts look, in the interface, in images and on pages: one colour and marker for one thing."""

from __future__ import annotations

COLOURS = ("#2f7fc1", "#d97a06", "#2a9d6f", "#9a5fc4", "#1a98ab", "#c2528b", "#8a7a2b", "#6b7fd7")
"""One for each of eight curves, readable on light and on dark."""
TARGET = "#d1495b"
"""The colour of the line that is to be reached."""
MARKERS = ("circle", "triangle", "square", "diamond")
"""Those of the first four curves, filled; the next four have them hollow."""
TRAIN, TEST, HELD_OUT = 0, 1, 2
"""The places of what one run is scored on."""
