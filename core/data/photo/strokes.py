"""Ink gathered into groups of strokes, and how much each looks like a digit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, cKDTree

from core.data.photo.paper import Mask, Values

EVERY_SIDE = np.ones((3, 3), dtype=bool)
LINKED = 0.6
"""Strokes with less than twice so much of their width between them belong together."""
STACKED, BESIDE = 0.13, 0.11
"""Parts of one digit are as near as that to each other: above each other as a share of the side of both together, and
beside each other as a share of the larger one's longer side."""
LARGEST = 60
"""So many pieces of ink are looked at, the largest ones."""
STOUT, SOLID, FOUR_CORNERS, WIDE, NO_DIGIT = 0.2, 0.65, 0.88, 0.4, 0.02
"""A sheet with a digit on it takes so much of the square of its longer side, and so much of itself without its holes;
so much of that lies between its four corners, and it is so wide, as a share of its diagonal. The last scores it."""
STRAIGHT, LEFT_OVER = 0.35, 0.6
"""A straight edge takes so much of the longer side, straight edges so much of all. The second scores such a shape."""
MOST = 4_000
"""With more components than that a threshold shows noise."""


@dataclass(frozen=True, slots=True)
class StrokeGroup:
    """Strokes of one digit, or something else.

    `box` is where they lie, `mask` which pixels of the box they take, `strength` how dark their ink is, and `score` how
    much they look like a digit, from 0 to 1.
    """

    box: tuple[slice, slice]
    mask: Mask
    strength: float
    width: float
    score: float

    @property
    def height(self) -> int:
        return int(self.mask.shape[0])

    @property
    def side(self) -> int:
        return int(max(self.mask.shape))

    @property
    def left(self) -> int:
        return int(self.box[1].start)


def groups(gray: Values, ink: Values, threshold: float) -> list[StrokeGroup]:
    """The groups of strokes that are darker than the threshold, the likeliest digit first."""
    mask = ink > threshold
    labels, count = ndimage.label(mask, EVERY_SIDE)
    if not count or count > MOST:
        return []
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    edge = mask & ~ndimage.binary_erosion(mask)
    widths = 2 * areas / np.maximum(np.bincount(labels[edge], minlength=count + 1), 1)
    smallest = max(6.0, 2e-5 * ink.size)
    kept = (areas >= smallest) & (np.arange(count + 1) > 0)
    if not kept.any():
        return []
    mask = kept[labels]
    # The width of the pen: that of the component with the longest stroke.
    longest = int(np.argmax(np.where(kept, areas / widths, 0)))
    pieces = _pieces(_joined(mask, LINKED * float(widths[longest])), mask)
    found = [_judged(gray, ink, mask, threshold, piece) for piece in _merged(pieces)]
    return sorted((group for group in found if group is not None), key=lambda group: -group.score)


def _joined(mask: Mask, reach: float) -> NDArray[np.int32]:
    """Labels of what is connected once every stroke is widened by `reach`."""
    reach = min(max(reach, 1.0), 0.04 * max(mask.shape))
    near = ndimage.distance_transform_edt(~mask) <= reach
    labels, _ = ndimage.label(near, EVERY_SIDE)
    return (labels * mask).astype(np.int32)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Ink that belongs together: where, which pixels, the places of those at its edge, (N, 2), and whether it touches
    the picture's rim."""

    box: tuple[slice, slice]
    mask: Mask
    edge: NDArray[np.intp]
    on_rim: bool

    @property
    def pen(self) -> float:
        return 2 * int(self.mask.sum()) / max(len(self.edge), 1)

    @property
    def side(self) -> int:
        return int(max(self.mask.shape))


def _piece(box: tuple[slice, slice], mask: Mask, shape: tuple[int, ...]) -> _Piece:
    edge = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    on_rim = any(span.start == 0 or span.stop == side for span, side in zip(box, shape, strict=True))
    return _Piece(box, mask, edge + np.array([box[0].start, box[1].start]), on_rim)


def _pieces(joined: NDArray[np.int32], mask: Mask) -> list[_Piece]:
    """The largest of them, each cut to where its ink is."""
    found = []
    for number, box in enumerate(ndimage.find_objects(joined), 1):
        inside = mask[box] & (joined[box] == number)
        rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
        top, left = box[0].start, box[1].start
        cut = (
            slice(top + int(rows[0]), top + int(rows[-1]) + 1),
            slice(left + int(columns[0]), left + int(columns[-1]) + 1),
        )
        found.append(_piece(cut, inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], mask.shape))
    return sorted(found, key=lambda piece: -piece.side)[:LARGEST]


def _merged(pieces: list[_Piece]) -> list[_Piece]:
    """With parts of one digit put together: the hat of a 5, the two strokes of a 4, what a failing pen left apart."""
    merged: list[_Piece] = []
    waiting = list(pieces)
    while waiting:
        piece = waiting.pop(0)
        partner = next((other for other in waiting if _belong_together(piece, other)), None)
        if partner is None:
            merged.append(piece)
        else:
            waiting.remove(partner)
            waiting.insert(0, _united(piece, partner))
    return merged


def _belong_together(one: _Piece, other: _Piece) -> bool:
    """Whether they lie so near to each other, and so, that they are parts of one digit rather than two digits."""
    if not 0.4 < other.pen / one.pen < 2.5:
        return False
    (rows, columns), (other_rows, other_columns) = one.box, other.box
    union = max(_span(rows, other_rows), _span(columns, other_columns))
    if max(_gap(rows, other_rows), _gap(columns, other_columns)) > STACKED * union:
        return False
    beside = -_gap(rows, other_rows) > 0.5 * min(len(one.mask), len(other.mask))
    above = -_gap(columns, other_columns) > 0.3 * min(one.mask.shape[1], other.mask.shape[1])
    small = min(one.side, other.side) < 0.4 * max(one.side, other.side)
    reach = BESIDE * max(one.side, other.side) if beside and not above and not small else STACKED * union
    if float(np.min(cKDTree(one.edge).query(other.edge)[0])) > reach:
        return False
    return one.on_rim == other.on_rim and not (_within(one, other) or _within(other, one))


def _span(one: slice, other: slice) -> int:
    return int(max(one.stop, other.stop) - min(one.start, other.start))


def _within(one: _Piece, other: _Piece) -> bool:
    """Whether the other lies in a hole of the one, as a digit does in a frame."""
    if any(a.start >= b.start or a.stop <= b.stop for a, b in zip(one.box, other.box, strict=True)):
        return False
    places = other.edge - [span.start for span in one.box]
    return bool(ndimage.binary_fill_holes(one.mask)[places[:, 0], places[:, 1]].all())


def _gap(one: slice, other: slice) -> int:
    """Pixels between two spans; less than 0 where they overlap, by so many."""
    return int(max(one.start, other.start) - min(one.stop, other.stop))


def _united(one: _Piece, other: _Piece) -> _Piece:
    box = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one.box, other.box, strict=True))
    mask = np.zeros([span.stop - span.start for span in box], dtype=bool)
    for piece in (one, other):
        top, left = (span.start - whole.start for span, whole in zip(piece.box, box, strict=True))
        mask[top : top + len(piece.mask), left : left + piece.mask.shape[1]] |= piece.mask
    edge = np.concatenate((one.edge, other.edge))  # near enough to that of both together
    return _Piece((box[0], box[1]), mask, edge, one.on_rim)


def _judged(gray: Values, ink: Values, everything: Mask, threshold: float, piece: _Piece) -> StrokeGroup | None:
    box, inside = piece.box, piece.mask
    height, width = inside.shape
    side, area = max(height, width), int(inside.sum())
    if side < 0.015 * max(ink.shape) or side < 8:
        return None
    pen = piece.pen
    values = ink[box][inside]
    strength = float(np.percentile(values, 75))
    # A soft shadow has no edge: its ink grows gently from nothing.
    sharp = float((values > 0.5 * strength).mean())
    score = (
        (side / max(ink.shape)) ** 0.4
        * strength**0.5
        * sharp**2
        * _between(pen / side, 0.012, 0.03, 0.28, 0.45)
        * _between(height / width, 0.3, 0.6, 12, 20)
        * _between(threshold / strength, 0.1, 0.35, 0.65, 0.95)
        * _between(area / (height * width), 0.03, 0.08, 0.6 if height < 2 * width else 1, 1.01)
        * _off_the_rim(inside, box, ink.shape)
        * _alone(everything, inside, box)
        * _on_paper(gray, inside, box)
        * _no_sheet(inside)
        * _drawn(inside)
    )
    return StrokeGroup(box, inside, strength, pen, score)


def _no_sheet(inside: Mask) -> float:
    """1, but little for a shape with four corners whose holes take little of it: a sheet of paper with something on it.

    The corners are the place of its hull that lies farthest from the middle, the one farthest from that, and the ones
    farthest from the line through both, on either side. Of an ellipse the four leave out a third, of a sheet that lies
    askew nearly nothing.
    """
    if int(inside.sum()) < STOUT * max(inside.shape) ** 2:
        return 1.0
    filled = ndimage.binary_fill_holes(inside)
    area = int(filled.sum())
    places = np.argwhere(filled & ~ndimage.binary_erosion(filled)).astype(float)
    if int(inside.sum()) < SOLID * area or np.ptp(places, axis=0).min() < 3:
        return 1.0
    hull = ConvexHull(places)
    corners = places[hull.vertices]
    first = corners[np.argmax(np.hypot(*(corners - corners.mean(0)).T))]
    along = corners[np.argmax(np.hypot(*(corners - first).T))] - first
    length = float(np.hypot(*along))
    away = (corners - first) @ np.array([-along[1], along[0]]) / length
    across = float(away.max() - away.min())
    # Of a hull in the plane `volume` is the area.
    is_sheet = across > WIDE * length and min(area, across * length / 2) > FOUR_CORNERS * hull.volume
    return NO_DIGIT if is_sheet else 1.0


def _drawn(inside: Mask) -> float:
    """1, and less for a wide shape much of whose edge runs straight along a row or a column: what is left of a ground
    or a frame between strokes of the other colour."""
    height, width = inside.shape
    if not WIDE < height / width < 1 / WIDE:
        return 1.0
    straight = total = 0
    for axis in (0, 1):
        changes = np.abs(np.diff(np.pad(inside, 1).astype(np.int8), axis=axis)).sum(1 - axis)
        total += int(changes.sum())
        straight += int(changes[changes > STRAIGHT * max(height, width)].sum())
    return LEFT_OVER if straight > STRAIGHT * total else 1.0


def _between(value: float, none: float, low: float, high: float, over: float) -> float:
    """1 from `low` to `high`, falling to a tenth at `none` and `over`."""
    if value < low:
        share = (value - none) / (low - none)
    elif value > high:
        share = (over - value) / max(over - high, 1e-6)
    else:
        return 1.0
    return 0.02 + 0.98 * min(max(share, 0.0), 1.0)


def _off_the_rim(inside: Mask, box: tuple[slice, slice], shape: tuple[int, ...]) -> float:
    """1 for what touches no edge of the picture, less the more of its rim and its corners it takes."""
    rows, columns = box
    taken, corners = 0, 0
    top, bottom = rows.start == 0, rows.stop == shape[0]
    left, right = columns.start == 0, columns.stop == shape[1]
    for touches, line in ((top, inside[0]), (bottom, inside[-1]), (left, inside[:, 0]), (right, inside[:, -1])):
        taken += int(line.sum()) if touches else 0
    for touches, corner in (
        (top and left, inside[0, 0]),
        (top and right, inside[0, -1]),
        (bottom and left, inside[-1, 0]),
        (bottom and right, inside[-1, -1]),
    ):
        corners += bool(touches and corner)
    share = taken / (2 * sum(shape))
    return float(max(1 - share, 0) ** 2 * 0.5**corners * (0.7 if taken else 1))


def _alone(everything: Mask, inside: Mask, box: tuple[slice, slice]) -> float:
    """1 where there is paper round about it, less the more other ink there is."""
    rows, columns = box
    room = max(inside.shape) // 5 + 1
    top, left = max(rows.start - room, 0), max(columns.start - room, 0)
    around = everything[top : rows.stop + room, left : columns.stop + room]
    others = int(around.sum()) - int(inside.sum())
    return float(1 / (1 + 4 * max(others, 0) / max(around.size - inside.size, 1)) ** 2)


def _on_paper(gray: Values, inside: Mask, box: tuple[slice, slice]) -> float:
    """1 where what lies about the strokes is of the colour of the paper between them; less the more of it is of their
    own colour, as it is when light patches between dark strokes are taken for light ink."""
    colour = float(np.median(gray[box][inside]))
    edge = ndimage.binary_dilation(np.pad(inside, 3), iterations=3)[3:-3, 3:-3] & ~ndimage.binary_dilation(inside)
    if not edge.any():
        return 0.0
    paper = float(np.median(gray[box][edge]))
    rows, columns = box
    share = 1.0
    for room in (max(inside.shape) // 5 + 1, max(inside.shape)):
        top, left = max(rows.start - room, 0), max(columns.start - room, 0)
        window = gray[top : rows.stop + room, left : columns.stop + room]
        paler = np.abs(window - paper) < np.abs(window - colour)
        share *= _between(float(paler.mean()), 0.25, 0.6, 1, 2)
    return share
