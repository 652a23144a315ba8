"""The state of the process that a user's code may change, put back afterwards."""

from __future__ import annotations

import builtins
import decimal
import gc
import locale
import logging
import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import numpy as np
import torch

from core.device.torch_private import PRINT_OPTIONS, default_device, set_gradients

Restore = Callable[[], object]

_one_at_a_time = threading.RLock()


@contextmanager
def isolated() -> Iterator[None]:
    """After the block the process is as before it, whatever the code in it has set.

    That is so for torch's defaults and switches, the random numbers of Python and numpy (torch's own stay as they are),
    warnings, logging, signals, streams, the environment, the current folder, `sys.path` and more: see `STATES`. One
    thread at a time is in such a block: each would put back what the other has set.
    """
    with _one_at_a_time:
        yield from _put_back()


def _put_back() -> Iterator[None]:
    restores = [restore for save in STATES for restore in save()]
    with torch.inference_mode(torch.is_inference_mode_enabled()):
        try:
            yield
        finally:
            for restore in reversed(restores):
                restore()


def _unless_equal(get: Callable[[], Any], put: Callable[[Any], object]) -> Restore:
    """Put what `get` returns now, where it returns something else later."""
    before = get()
    return lambda: get() == before or put(before)


def _unless_same(owner: Any, name: str) -> Restore:
    before = getattr(owner, name)
    return partial(setattr, owner, name, before)


def _torch_defaults() -> Iterator[Restore]:
    yield _unless_equal(torch.get_default_dtype, torch.set_default_dtype)
    yield _unless_equal(default_device, torch.set_default_device)
    yield _unless_equal(torch.get_num_threads, torch.set_num_threads)
    yield _unless_equal(_determinism, lambda to: torch.use_deterministic_algorithms(to[0], warn_only=to[1]))
    yield _unless_equal(torch.is_warn_always_enabled, torch.set_warn_always)
    yield _unless_equal(lambda: dict(vars(PRINT_OPTIONS)), lambda shown: vars(PRINT_OPTIONS).update(shown))


def _determinism() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _torch_modes() -> Iterator[Restore]:
    yield _unless_equal(torch.is_grad_enabled, set_gradients)
    yield _unless_equal(_anomaly, lambda to: torch.autograd.set_detect_anomaly(*to))
    for device in ("cpu", "cuda"):
        yield _unless_equal(partial(torch.is_autocast_enabled, device), partial(torch.set_autocast_enabled, device))
        yield _unless_equal(partial(torch.get_autocast_dtype, device), partial(torch.set_autocast_dtype, device))


def _anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


_SWITCHES: tuple[tuple[Any, str], ...] = (
    *((torch.backends.cudnn, name) for name in ("enabled", "benchmark", "benchmark_limit", "deterministic")),
    *((switch, "fp32_precision") for switch in (torch.backends, torch.backends.cuda.matmul)),
    *((switch, "fp32_precision") for switch in (torch.backends.cudnn, torch.backends.cudnn.conv)),  # type: ignore[attr-defined]
    (torch.backends.mkldnn, "enabled"),
    (torch.utils.deterministic, "fill_uninitialized_memory"),
)


def _torch_switches() -> Iterator[Restore]:
    for switch, name in _SWITCHES:
        yield _unless_equal(partial(getattr, switch, name), partial(setattr, switch, name))
    yield _unless_equal(_precision_of_products, _set_precision_of_products)


def _precision_of_products() -> str:
    """torch's older switch for it, which it tells only as long as the newer ones agree with it."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return ""


def _set_precision_of_products(precision: str) -> None:
    if precision:
        torch.set_float32_matmul_precision(precision)


def _random_numbers() -> Iterator[Restore]:
    python, numpy = random.getstate(), np.random.get_state()
    yield lambda: random.setstate(python)
    yield lambda: np.random.set_state(numpy)


def _numbers_in_words() -> Iterator[Restore]:
    yield _unless_equal(np.geterr, lambda errors: np.seterr(**errors))
    yield _unless_equal(np.get_printoptions, lambda options: np.set_printoptions(**options))
    context = decimal.getcontext().copy()
    yield lambda: decimal.setcontext(context)
    yield _unless_equal(partial(locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL))


def _warnings() -> Iterator[Restore]:
    yield _unless_equal(lambda: list(warnings.filters), _put_filters)
    yield _unless_same(warnings, "showwarning")


def _put_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _logging() -> Iterator[Restore]:
    disabled = logging.root.manager.disable
    yield lambda: logging.disable(disabled)
    known = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    for logger in [logging.root, *known]:
        state = (list(logger.handlers), list(logger.filters), logger.level, logger.disabled, logger.propagate)
        yield lambda logger=logger, state=state: _put_logger(logger, *state)  # type: ignore[misc]
    cls = logging.getLoggerClass()
    yield lambda: logging.setLoggerClass(cls)


def _put_logger(logger: logging.Logger, handlers: Any, filters: Any, level: int, disabled: bool, upward: bool) -> None:
    logger.handlers[:], logger.filters[:] = handlers, filters
    logger.disabled, logger.propagate = disabled, upward
    if logger.level != level:
        logger.setLevel(level)


def _signals() -> Iterator[Restore]:
    if threading.current_thread() is threading.main_thread():
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            yield lambda number=number, handler=handler: _put_handler(number, handler)  # type: ignore[misc]
        if hasattr(signal, "setitimer"):
            for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
                yield _timer(timer)
    if hasattr(signal, "pthread_sigmask"):
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        yield lambda: signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _put_handler(number: int, handler: Any) -> None:
    if handler is not None and signal.getsignal(number) is not handler:
        signal.signal(number, handler)


def _timer(number: int) -> Restore:
    """Put a timer back, such as that of `signal.alarm`, whose time goes on."""
    left, interval = signal.getitimer(number)
    ends = time.monotonic() + left
    return lambda: signal.setitimer(number, max(ends - time.monotonic(), 1e-3) if left else 0.0, interval)


def _process() -> Iterator[Restore]:
    yield _unless_equal(_folder, _go_back)
    start = partial(multiprocessing.get_start_method, allow_none=True)
    yield _unless_equal(start, partial(multiprocessing.set_start_method, force=True))
    yield _unless_equal(torch.multiprocessing.get_sharing_strategy, torch.multiprocessing.set_sharing_strategy)
    mask = os.umask(0o077)
    os.umask(mask)
    yield lambda: os.umask(mask)
    yield _kept_mapping(os.environ)
    yield _unless_equal(sys.getrecursionlimit, sys.setrecursionlimit)
    yield _unless_equal(sys.getswitchinterval, sys.setswitchinterval)
    yield _unless_equal(gc.isenabled, lambda enabled: gc.enable() if enabled else gc.disable())
    yield _unless_equal(gc.get_threshold, lambda thresholds: gc.set_threshold(*thresholds))
    yield _unless_equal(socket.getdefaulttimeout, socket.setdefaulttimeout)


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109  # as text, to go back to
    except OSError:
        return ""


def _go_back(folder: str) -> None:
    with suppress(OSError):
        os.chdir(folder)


def _python() -> Iterator[Restore]:
    for name in ("stdin", "stdout", "stderr", "excepthook", "displayhook", "unraisablehook", "path", "argv"):
        yield _unless_same(sys, name)
    for entries in (sys.path, sys.argv, sys.meta_path, sys.path_hooks):
        yield _unless_equal(entries.copy, partial(entries.__setitem__, slice(None)))
    yield _unless_same(sys, "dont_write_bytecode")
    yield _unless_same(threading, "excepthook")
    yield _unless_equal(sys.gettrace, sys.settrace)
    yield _unless_equal(sys.getprofile, sys.setprofile)
    yield _kept_mapping(vars(builtins))


def _kept_mapping(mapping: MutableMapping[str, Any]) -> Restore:
    before = dict(mapping)

    def restore() -> None:
        for name in [name for name in mapping if name not in before]:
            del mapping[name]
        for name, value in before.items():
            if name not in mapping or mapping[name] is not value:
                mapping[name] = value

    return restore


STATES: tuple[Callable[[], Iterator[Restore]], ...] = (
    _torch_defaults,
    _torch_modes,
    _torch_switches,
    _random_numbers,
    _numbers_in_words,
    _warnings,
    _logging,
    _signals,
    _process,
    _python,
)
"""What is put back, last first."""
