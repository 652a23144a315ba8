"""Random states are put back exactly, and belong to the caller."""

import torch

from core.device.random_state import random_state, restore_random_state

CPU = torch.device("cpu")


def test_numbers_drawn_after_a_state_is_restored_are_those_drawn_after_it_was_taken():
    before = random_state(CPU)
    first = torch.rand(5)
    assert not torch.equal(torch.rand(5), first)
    restore_random_state(before, CPU)
    assert torch.equal(torch.rand(5), first)
