"""Tests that need a CUDA device are skipped where there is none."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
