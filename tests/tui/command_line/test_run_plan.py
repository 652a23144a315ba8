"""The runs that `mnist-tui run` is asked for."""

from __future__ import annotations

import pytest

from experiments.runs.store import Store
from tui.command_line.run_plan import Asked, plan_new


@pytest.mark.parametrize(
    ("text", "seeds", "said"),
    [
        ("3", [3], "seed 3 alone; 0-2 are 3 seeds\n"),
        ("3-3", [3], ""),
        ("1", [1], ""),
        ("0-2,5", [0, 1, 2, 5], ""),
    ],
)
def test_a_single_number_is_a_seed_and_who_may_have_meant_so_many_is_told(tmp_path, capsys, text, seeds, said):
    group_id, specs = plan_new(Store(tmp_path), Asked(None, None, {}, text, "try", ()))
    assert [(spec.config.seed, spec.meta.name) for spec in specs] == [(seed, f"try-{seed}") for seed in seeds]
    assert {spec.meta.group_id for spec in specs} == {group_id}
    assert capsys.readouterr().err == said
