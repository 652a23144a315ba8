"""What a config asks of the machine and does not get. Only torch knows, so nothing is said before that is imported."""

from __future__ import annotations

import sys
from functools import lru_cache

from core.config import MACHINE_FIELDS, TrainConfig
from core.errors import InvalidValue


def torch_is_there() -> bool:
    """Whether torch is imported, and to its end: meanwhile, whoever imports it too waits for seconds."""
    return hasattr(sys.modules.get("core.training.trainer"), "Trainer")


def missing_here(config: TrainConfig) -> InvalidValue | None:
    """The device, engine or precision that this machine has not; None when it has all, or as long as nobody knows."""
    asked = [getattr(config, field) for field in MACHINE_FIELDS]
    if asked == [TrainConfig.model_fields[field].default for field in MACHINE_FIELDS] or not torch_is_there():
        return None
    return _missing(*asked)


@lru_cache
def _missing(device: str, engine: str, precision: str) -> InvalidValue | None:
    from core.device.device import check_precision, pick_device
    from core.engines.choose import choose_engine

    config = TrainConfig.checked({"device": device, "engine": engine, "precision": precision})
    try:
        place = pick_device(device)
        check_precision(config.precision, place)
        if config.engine != "auto":  # to take whatever there is may take a compiler's seconds
            choose_engine(config, place, steps=1)
    except InvalidValue as error:
        return error
    return None
