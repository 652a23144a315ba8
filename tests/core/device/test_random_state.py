"""Random states are put back exactly, and belong to the caller."""

import random

import numpy as np
import torch

from core.device.random_state import ScriptNumbers, random_state, restore_random_state

CPU = torch.device("cpu")


def test_numbers_drawn_after_a_state_is_restored_are_those_drawn_after_it_was_taken():
    before = random_state(CPU)
    first = torch.rand(5)
    assert not torch.equal(torch.rand(5), first)
    restore_random_state(before, CPU)
    assert torch.equal(torch.rand(5), first)


def draws() -> list[float]:
    return [random.random(), random.gauss(), float(np.random.rand()), float(np.random.randn())]


def test_script_numbers_are_a_run_s_own_and_disturb_nobody_s():
    random.seed(5)
    np.random.seed(5)
    expected = draws() + draws()
    random.seed(5)
    np.random.seed(5)
    one, other = ScriptNumbers(), ScriptNumbers()
    one.seed(1)
    other.seed(1)
    with one:
        first = draws()
    outside = draws()
    with one:
        second = draws()
    outside += draws()
    assert outside == expected
    with other:
        assert draws() + draws() == first + second
        other.seed(1)
        with other.untouched():
            assert draws() == first
        assert draws() == first


def test_script_numbers_go_on_after_a_state():
    """Gaussian numbers are drawn in pairs: the second of one waits in the state."""
    numbers, other = ScriptNumbers(), ScriptNumbers()
    numbers.seed(3)
    with numbers:
        draws()
    state = numbers.state()
    with numbers:
        later = draws()
    other.restore(state)
    with other:
        assert draws() == later
