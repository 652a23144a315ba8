"""How many threads: torch's own, and those whose number makes no difference."""

from __future__ import annotations

import threading

import pytest
import torch

from core.device.threads import allow_threads, kept_threads, most_threads, one_torch_thread, torch_threads, use_threads


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    allow_threads(0)
    torch.set_num_threads(before)


def test_within_the_block_torch_has_one_thread_and_as_many_as_before_are_known():
    with one_torch_thread(), one_torch_thread():
        assert torch.get_num_threads() == 1
        assert torch_threads() == most_threads() == 2
    assert torch.get_num_threads() == 2


def test_another_python_thread_that_enters_it_later_and_leaves_it_last_leaves_as_many_as_there_were():
    entered, may_leave, left = threading.Event(), threading.Event(), []

    def later() -> None:
        with one_torch_thread():
            entered.set()
            may_leave.wait(20)
        left.append(torch.get_num_threads())

    other = threading.Thread(target=later)
    with one_torch_thread():
        other.start()
        assert entered.wait(20)
    may_leave.set()
    other.join(20)
    assert left == [2]
    assert torch_threads() == 2


def test_as_many_as_are_allowed_may_compute_whatever_torch_does():
    allow_threads(5)
    assert (most_threads(), torch_threads()) == (5, 2)
    allow_threads(0)
    assert most_threads() == 2


@pytest.mark.parametrize(
    ("count", "device", "threads"), [(1, "cpu", 1), (0, "cpu", 2), (10**6, "cpu", 2), (1, "cuda", 2)]
)
def test_a_number_that_is_none_or_above_the_processors_changes_nothing_and_neither_does_one_for_a_gpu(
    count, device, threads
):
    with kept_threads():
        use_threads(count, torch.device(device))
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2
