"""What one output sees of the input, along rows or along columns."""

from __future__ import annotations

from typing import NamedTuple


class Path(NamedTuple):
    """One way through a network: its output number i sees `size` pixels from pixel ``start + i * jump`` on."""

    start: int
    size: int
    jump: int


Sight = tuple[Path, ...]
"""All ways; those of branches that shrink a map at other places have other jumps."""

PIXEL: Sight = (Path(0, 1, 1),)


def slid(sight: Sight, reach: int, stride: int, padding: int) -> Sight:
    """What windows of so many outputs see."""
    return tuple(
        Path(path.start - padding * path.jump, path.size + (reach - 1) * path.jump, path.jump * stride)
        for path in sight
    )


def covered(sight: Sight, count: int) -> Sight:
    """What all of so many outputs see together."""
    start = min(path.start for path in sight)
    end = max(path.start + (count - 1) * path.jump + path.size for path in sight)
    return (Path(start, end - start, max(path.jump for path in sight)),)


def joined_sight(sights: list[Sight]) -> Sight:
    """What the sums of several maps see; ways with the same jump become one."""
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    for path in (path for sight in sights for path in sight):
        starts[path.jump] = min(starts.get(path.jump, path.start), path.start)
        ends[path.jump] = max(ends.get(path.jump, path.start + path.size), path.start + path.size)
    return tuple(Path(start, ends[jump] - start, jump) for jump, start in starts.items())


def side(sight: Sight, count: int) -> int:
    """The most pixels, from the first to the last, that one of so many outputs sees.

    From the first to the last is a convex function of the output's place, so one of the two ends has the most.
    """
    if len(sight) == 1:
        return sight[0].size
    return max(
        max(path.start + i * path.jump + path.size for path in sight)
        - min(path.start + i * path.jump for path in sight)
        for i in (0, count - 1)
    )
