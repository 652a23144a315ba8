"""In which fields configs differ as recipes."""

from core.config import TrainConfig
from experiments.runs.recipe import differing_fields

BASE = TrainConfig().model_dump()


def test_a_field_without_effect_is_no_difference():
    assert differing_fields([BASE, BASE | {"rotation": 3.0, "ema_decay": 0.5, "seed": 4}]) == []
    turned = BASE | {"augment": "affine"}
    assert differing_fields([turned, turned | {"rotation": 3.0}]) == ["rotation"]
    assert differing_fields([BASE, turned | {"rotation": 3.0}]) == ["augment", "rotation"]


def test_what_cannot_be_told_of_a_config_of_another_version_is_a_difference():
    old = {"lr": 0.1, "rotation": 10.0}
    assert differing_fields([old, old | {"rotation": 3.0}]) == ["rotation"]
