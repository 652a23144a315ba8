"""The cut of a batch into chunks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from core.engines.native.chunks import SHARE, most_chunks, partition

TOGETHER = pytest.mark.parametrize("together", [1, 3, 48])


def sizes_of(groups: int, together: int, threads: int) -> list[int]:
    first = partition(groups, together, threads).tolist()
    assert (first[0], first[-1]) == (0, groups)
    return [end - start for start, end in pairwise(first)]


@pytest.mark.parametrize("groups", [1, 2, 5, 16, 33, 64, 1000])
@TOGETHER
def test_the_chunks_are_all_groups_and_large_ones_come_first(groups, together):
    sizes = sizes_of(groups, together, 0)
    assert sizes == sorted(sizes, reverse=True)
    assert all(size >= together for size in sizes[:-1])
    assert 0 < sizes[-1] <= sizes[0] <= max(together, groups // SHARE)


@pytest.mark.parametrize("groups", [1, 2, 5, 16, 33, 64])
@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@TOGETHER
def test_a_batch_that_an_earlier_version_cut_for_threads_is_cut_so_again(groups, threads, together):
    sizes = sizes_of(groups, together, threads)
    assert min(sizes) > 0
    assert sizes == sorted(sizes, reverse=True)
    if together > 1:
        assert len(sizes) <= threads
    elif threads > 1:  # one chunk is no more than the others can do meanwhile
        assert sizes[0] <= max(1, groups / threads)


def test_the_cuts_of_earlier_versions_were_these():
    assert partition(16, 1, 2).tolist() == [0, 4, 7, 9, 10, 11, 12, 13, 14, 15, 16]
    assert partition(16, 3, 2).tolist() == [0, 8, 16]
    assert partition(5, 3, 4).tolist() == [0, 2, 4, 5]


@TOGETHER
@pytest.mark.parametrize("threads", range(9))
def test_there_is_memory_for_the_chunks_of_any_smaller_batch(together, threads):
    for groups in range(1, 40):
        room = most_chunks(groups, together, threads)
        assert room <= groups
        for fewer in range(1, groups + 1):
            assert len(partition(fewer, together, threads)) - 1 <= room
