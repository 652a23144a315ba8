"""Devices, engines and precisions of this machine. Only torch knows them, so nothing is said before it is imported."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from functools import lru_cache

from core.config import MACHINE_FIELDS, TrainConfig
from core.device.collector import let_collector_go
from core.errors import InvalidValue

_devices: tuple[str, ...] = ()


def import_torch(then: Callable[[], None]) -> None:
    """Import what training needs, ahead of the first run, and find the devices; `then` do what else can wait. On a
    thread of its own, to be called once the interface is on the screen."""

    def load() -> None:
        global _devices
        import core.data.loader
        import core.training.trainer  # noqa: F401
        from core.device.device import available_devices

        _devices = tuple(available_devices())
        let_collector_go()
        then()

    threading.Thread(target=load, name="import torch", daemon=True).start()


def spare_the_collector() -> None:
    """Take all that there is now out of what Python's garbage collector goes through again and again.

    Of thousands of rows each time takes a tenth of a second in which no key is heard. What was taken out before is gone
    through once more, for what has gone since.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def devices_found() -> tuple[str, ...]:
    """The names of the devices that there are, as `mnist-tui doctor` lists them; empty before they are known."""
    return _devices


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
