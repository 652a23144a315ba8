"""Devices by name: those that are here, and a plain word about those that are not."""

import pytest
import torch

from core.device.device import available_devices, describe_device, flushed_denormals, pick_device
from core.errors import InvalidValue


def test_the_cpu_is_always_there_and_every_device_that_is_named_can_be_picked():
    names = available_devices()
    assert names[0] == "cpu"
    for name in names:
        assert str(pick_device(name)) == name
        assert torch.zeros(1, device=pick_device(name)).sum() == 0


def test_auto_takes_an_accelerator_where_there_is_one():
    found = pick_device("auto").type
    has_one = torch.cuda.is_available() or torch.backends.mps.is_available()
    assert (found != "cpu") == has_one


@pytest.mark.parametrize("name", ["cuda:99", "cuda:07", "tpu"])
def test_a_device_that_is_not_here_is_refused_with_those_that_are(name, presentable):
    with pytest.raises(InvalidValue) as caught:
        pick_device(name)
    presentable(caught.value.message, f"device = {name}", ", ".join(available_devices()))


@pytest.mark.parametrize(("threads", "words"), [(1, "cpu (1 thread)"), (2, "cpu (2 threads)")])
def test_the_cpu_is_described_with_its_threads(threads, words):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert describe_device(torch.device("cpu")) == words
    finally:
        torch.set_num_threads(before)


def test_denormal_numbers_are_flushed_within_the_block_and_not_after_it_even_if_it_fails():
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot flush denormal numbers")

    def is_flushed() -> bool:
        return not (torch.tensor([1e-39]) * torch.tensor([1.0])).item()

    def fail_within() -> None:
        with flushed_denormals():
            assert is_flushed()
            raise KeyError

    assert not is_flushed()
    with pytest.raises(KeyError):
        fail_within()
    assert not is_flushed()
