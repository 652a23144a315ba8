"""Records what a module computes, by running its forward on real images.

Its Python runs as it always does, so whatever it asks of sizes, modes or settings is answered as in training. What is
recorded is each layer of `torch.nn` that is called, and outside of layers each function of torch that takes something
computed from the images.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

READS = frozenset(
    {"item", "tolist", "numpy", "__array__", "__bool__", "__int__", "__float__", "__index__", "__complex__", "equal",
     "allclose", "is_nonzero", "__contains__"}
)  # fmt: skip
"""Functions that hand values of a tensor to Python, which may then decide by them what to compute."""

CONTAINERS = frozenset({nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict})
"""Classes of torch that compute nothing themselves."""

_OUTSIDE = (str(Path(torch.__file__).parent), str(Path(__file__).parents[2]), "<frozen")
"""Where the frames lie that are not the user's: torch, this package, and Python itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is called: a user's file and line (0 where nobody knows), and the layer's name in the module."""

    file: str = ""
    line: int = 0
    layer: str = ""

    def __str__(self) -> str:
        where = f"{Path(self.file).name}:{self.line}" if self.file else ""
        return ", ".join(filter(None, (where, self.layer)))


@dataclass(eq=False, slots=True)
class Call:
    """One call of a layer or a function, or the images themselves (`target` is None).

    Among its arguments, what was computed from the images is the `Call` that computed it.
    """

    target: nn.Module | str | None
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    place: Place = Place()

    @property
    def inputs(self) -> list[Call]:
        """The calls whose results are among the arguments."""
        return list(_calls_in([*self.arguments, *self.keywords.values()]))


@dataclass(slots=True)
class Trace:
    """The images, the call that computed the output, and where values were read, with the function that did it."""

    images: Call
    output: Call | None
    reads: list[tuple[str, Place]]

    @property
    def calls(self) -> list[Call]:
        """The calls that the output needs, each behind those that it needs itself."""
        done: dict[Call, None] = {}
        waiting = [] if self.output is None else [self.output]
        while waiting:
            missing = [one for one in waiting[-1].inputs if one not in done]
            waiting.extend(missing)
            if not missing:
                done[waiting.pop()] = None
        return list(done)


def trace(module: nn.Module, images: Tensor) -> Trace:
    """Run the module on images (B, 1, S, S), in the mode in which it is, and record it.

    `output` is None when the result does not come from the images. What the forward raises is not caught.
    """
    recorder = _Recorder(images)
    with recorder.watching(module), torch.no_grad(), recorder:
        output = module(images)
    return Trace(recorder.images, recorder.call_of(output), recorder.reads)


def is_leaf(module: nn.Module) -> bool:
    """Whether a module is one of torch's layers, or differs from one only in how it is made."""
    kind = torch_class(type(module))
    if kind in CONTAINERS:
        return False
    return all(getattr(type(module), name, None) is getattr(kind, name, None) for name in ("forward", "_conv_forward"))


def torch_class(cls: type[nn.Module]) -> type[nn.Module]:
    """The first class of torch among a module's class and its bases."""
    return next(base for base in cls.__mro__ if base.__module__.startswith(("torch.nn.", "torch.ao.")))


class _Recorder(TorchFunctionMode):
    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = Call(None, shape=tuple(images.shape))
        self.reads: list[tuple[str, Place]] = []
        self._calls: dict[int, Call] = {}
        self._kept: list[Tensor] = []  # so that no other tensor gets the number of one that is gone
        self._depth = 0  # of layers within which nothing is recorded
        self._keep(images, self.images)

    def call_of(self, value: object) -> Call | None:
        return self._calls.get(id(value)) if isinstance(value, Tensor) else None

    @contextmanager
    def watching(self, module: nn.Module) -> Iterator[None]:
        """Within the block, layers of the module are recorded as one call each."""
        handles: list[RemovableHandle] = []
        for name, layer in module.named_modules(remove_duplicate=True):
            if is_leaf(layer):
                handles.append(layer.register_forward_pre_hook(self._enter, with_kwargs=True))
                leave = partial(self._leave, name or "the module")
                handles.append(layer.register_forward_hook(leave, with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, *_: object) -> None:
        self._depth += 1

    def _leave(self, name: str, layer: nn.Module, arguments: Any, keywords: Any, output: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._record(layer, arguments, keywords, output, name)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        keywords = kwargs or {}
        if self._depth:
            return func(*args, **keywords)
        known = [*map(self._known, args)], {name: self._known(value) for name, value in keywords.items()}
        result = func(*args, **keywords)
        name = _name_of(func)
        if any(True for _ in _calls_in([*known[0], *known[1].values()])):
            if name in READS:
                self.reads.append((name, _place()))
            self._put(name, *known, result, "")
        return result

    def _record(self, target: nn.Module, arguments: Any, keywords: Any, result: object, layer: str) -> None:
        known = [*map(self._known, arguments)], {name: self._known(value) for name, value in keywords.items()}
        self._put(target, *known, result, layer)

    def _put(
        self, target: nn.Module | str, arguments: list[Any], keywords: dict[str, Any], result: object, layer: str
    ) -> None:
        place = _place(layer)
        results = result if isinstance(result, tuple | list) else (result,)
        for at, part in enumerate(results):
            if isinstance(part, Tensor):
                called = target if len(results) == 1 else f"{_name_of(target)}, which gives several tensors,"
                if at == 0 and isinstance(result, torch.return_types.max):
                    called = "amax"
                self._keep(part, Call(called, tuple(arguments), keywords, tuple(part.shape), place))

    def _keep(self, tensor: Tensor, call: Call) -> None:
        self._calls[id(tensor)] = call
        self._kept.append(tensor)

    def _known(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._calls.get(id(value), value)
        if isinstance(value, tuple | list) and not isinstance(value, torch.Size):
            return [self._known(part) for part in value]
        return value


def _calls_in(values: list[Any]) -> Iterator[Call]:
    for value in values:
        if isinstance(value, Call):
            yield value
        elif isinstance(value, list):
            yield from _calls_in(value)


def _name_of(target: object) -> str:
    """A function's name; that of the attribute for what reads one, such as ``T``."""
    if isinstance(target, nn.Module):
        return type(target).__name__
    name = str(target) if isinstance(target, str) else getattr(target, "__name__", type(target).__name__)
    return getattr(getattr(target, "__self__", None), "__name__", name) if name == "__get__" else name


def _place(layer: str = "") -> Place:
    """The line of the user's that runs."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not trace.__code__:
        if _is_users(frame):
            return Place(frame.f_code.co_filename, frame.f_lineno, layer)
        frame = frame.f_back
    return Place(layer=layer)


def place_of(error: BaseException) -> Place:
    """The user's line that an error came from."""
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__) if _is_users(frame)]
    return Place(*frames[-1]) if frames else Place()


def _is_users(frame: FrameType) -> bool:
    return not frame.f_code.co_filename.startswith(_OUTSIDE)
