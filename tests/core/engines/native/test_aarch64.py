"""The kernels compiled for AArch64, with vectors of NEON, run in an emulator and held against torch."""

from __future__ import annotations

import shutil

import pytest
import torch
from foreign import ForeignKernels
from random_modules import check_any_spec, check_random_modules
from random_networks import assert_close, check_random_network, steps_by_both

from core.engines.native import plan
from core.engines.native.draws import is_torchs
from core.engines.native.team import Team
from core.models.build import build_model
from core.models.spec import parse
from core.models.summary import summarize

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
WARNINGS = ("-Wall", "-Wextra", "-Werror")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def kernels_there(tmp_path_factory) -> dict[torch.dtype, ForeignKernels]:
    for name in (COMPILER, EMULATOR):
        if shutil.which(name) is None:
            pytest.skip(f"there is no {name}")
    folder = tmp_path_factory.mktemp("aarch64")
    types = torch.float32, torch.float64
    return {dtype: ForeignKernels([COMPILER, *WARNINGS], [EMULATOR], folder, dtype) for dtype in types}


@pytest.fixture(autouse=True)
def on_aarch64(kernels_there, monkeypatch):
    monkeypatch.setattr(plan, "HUGE", 1 << 62)  # so that all memory is that of a tensor
    monkeypatch.setattr(Team, "kernels", lambda _, dtype: kernels_there[dtype])


def test_vectors_are_those_of_neon(kernels_there):
    assert {dtype.itemsize * each.lanes() for dtype, each in kernels_there.items()} == {16}


def test_dropouts_keep_what_torch_keeps(kernels_there):
    assert all(map(is_torchs, kernels_there.values()))


@pytest.mark.parametrize("check", [check_random_network, check_random_modules, check_any_spec])
@pytest.mark.parametrize("seed", range(5))
def test_they_agree_with_torch_in_double_precision(check, seed):
    check(seed)


@pytest.mark.parametrize("spec", ["c8p1 s12p1 p2 c12 s16 p2 c16 gap fc10", "c4 d0 p2 c8k1b0r silu a2 fc10"])
def test_and_in_single_precision(spec):
    torch.manual_seed(0)
    model = build_model(summarize(parse(spec))).to(memory_format=torch.channels_last)
    found, expected, _ = steps_by_both(model, torch.randn(9, 1, 28, 28), torch.randn(32, 1, 28, 28))
    assert_close(found, expected, 1e-4)
