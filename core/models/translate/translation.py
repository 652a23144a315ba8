"""Writes a user's module as the spec that equals it, or says what in it no spec can say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from core.errors import SpecError, one_line
from core.models.build import build_model
from core.models.conv import Conv2d
from core.models.norm import BatchNorm2d
from core.models.own.copying import copy_module
from core.models.own.isolation import isolated
from core.models.spec import parse
from core.models.summary import Summary, summarize
from core.models.translate.fields import fields_of, with_fields
from core.models.translate.functions import function_name
from core.models.translate.pieces import Obstacle, Piece
from core.models.translate.proof import WithoutDropout, difference, random_states
from core.models.translate.reading import is_dropout, piece_of
from core.models.translate.structure import Row, find_obstacles, pieces_in, row_of
from core.models.translate.trace import Place, Trace, place_of, torch_class, trace
from core.models.translate.words import spec_of
from core.task import MNIST_TASK, ImageTask

LOOKS = 4
"""Forward passes that are recorded; a module that does something else in one of them is not translated."""

LEFT_OUT = "the log_softmax at the end is left out, as the loss, the cross entropy of logits, contains it"


@dataclass(frozen=True, slots=True)
class Translation:
    """A spec whose network computes what a module does.

    `names` gives, for each parameter and buffer of the spec's network by its name, the module's own name for it; what
    the turns of a loop share has a name in each.
    `unused` are those of the module that its forward does not use. `notes` say to people what was left out. `fields`
    gives the receptive field of each layer of the module by its path, after each of its uses.
    """

    summary: Summary
    names: Mapping[str, str]
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fields: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)

    @property
    def spec(self) -> str:
        return self.summary.spec

    def completed(self, table: Summary) -> Summary:
        """The module's own table with the receptive fields of its layers."""
        return with_fields(table, self.fields, self.summary.receptive_field)

    def twin_of(self, module: nn.Module) -> nn.Sequential:
        """The spec's network, with the module's very parameters and buffers: what one learns, the other has learnt.

        To be made when the module is where it shall stay; a buffer that is moved to another device is another one.
        """
        tensors = tensors_of(module)
        with torch.device("meta"):
            twin = build_model(self.summary)
        for name, own in self.names.items():
            path, _, attribute = name.rpartition(".")
            setattr(twin.get_submodule(path), attribute, tensors[own])
        return twin.train(module.training)


@dataclass(frozen=True, slots=True)
class Untranslatable:
    """What stands in the way of a spec, in the order of the forward pass."""

    obstacles: tuple[Obstacle, ...]

    def __str__(self) -> str:
        """The first one, for a single line."""
        first, more = self.obstacles[0], len(self.obstacles) - 1
        return f"{first}" + (f", and {more} more" if more else "")


def translate(module: nn.Module, task: ImageTask = MNIST_TASK) -> Translation | Untranslatable:
    """Find the spec that equals a module for a task on the CPU, and prove it. Module and random states stay as they
    are."""
    if obstacles := list(_outside_of_forward(module)):
        return Untranslatable(tuple(obstacles))
    try:
        copy = copy_module(module)
    except Exception as error:  # noqa: BLE001  # whatever the user's class does when it is copied
        return Untranslatable((Obstacle(f"it cannot be copied: {one_line(error)}", Place()),))
    with isolated(), torch.random.fork_rng(devices=[]):
        try:
            return _translate(copy, module, task)
        except Obstacle as obstacle:
            return Untranslatable((obstacle,))
        except SpecError as error:
            return Untranslatable((Obstacle(f"{error.token}: {error.reason}", Place()),))


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; one with several names has them all."""
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _translate(copy: nn.Module, module: nn.Module, task: ImageTask) -> Translation | Untranslatable:
    traced, obstacles = _looked_at(copy, task.size)
    if obstacles:
        return Untranslatable(tuple(obstacles))
    row, log_softmax = _without_log_softmax(row_of(traced))
    summary = summarize(parse(spec_of(row)), task)
    names = _names(summary, row, copy)
    unused = tuple(name for name, _ in module.named_parameters() if name not in names.values())
    notes = [LEFT_OUT] if log_softmax else []
    if unused:
        notes.append(f"{', '.join(unused)}: not used by forward, and left out")
    if frozen := [name for name, tensor in module.named_parameters() if not tensor.requires_grad]:
        notes.append(f"{', '.join(frozen)}: not trained by the module, but by a network of the spec alone")
    translation = Translation(summary, names, unused, tuple(notes), fields_of(summary, row))
    reason = _disproof(copy, translation, log_softmax=log_softmax, task=task)
    return Untranslatable((Obstacle(reason, Place()),)) if reason else translation


def _outside_of_forward(module: nn.Module) -> Iterator[Obstacle]:
    """What a module does beside its forward pass, and a spec's network does not."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    for name, part in module.named_modules():
        place = Place(layer=name or type(module).__name__)
        if any(getattr(part, kind) for kind in hooks):
            yield Obstacle("has hooks", place)
        if parametrize.is_parametrized(part):
            yield Obstacle("has parametrised weights", place)
        if type(part).__call__ is not torch_class(type(part)).__call__:
            yield Obstacle("has a __call__ of its own", place)
        if type(part).train is not nn.Module.train or type(part).eval is not nn.Module.eval:
            yield Obstacle("has a train() of its own", place)
    for name, tensor in tensors_of(module).items():
        if tensor.is_floating_point() and tensor.dtype is not torch.float32:
            yield Obstacle(f"is {tensor.dtype}, in a spec float32", Place(layer=name))
        if getattr(tensor, "_backward_hooks", None) or getattr(tensor, "_post_accumulate_grad_hooks", None):
            yield Obstacle("has hooks", Place(layer=name))


def _looked_at(copy: nn.Module, side: int) -> tuple[Trace, list[Obstacle]]:
    """Record the module's forward pass in training, several times, and hold it against that of evaluation.

    Raises:
        Obstacle: when it cannot be run.
    """
    before = _state(copy)
    with WithoutDropout():
        numbers = random_states()
        first, *more = [_trace(copy, size, side, training=True) for size in range(2, 2 + LOOKS)]
        scored = _trace(copy, 3, side, training=False)
        drawn = random_states() != numbers
    obstacles = find_obstacles(first)
    if drawn:
        obstacles.append(Obstacle("forward draws random numbers of its own", Place()))
    after = _state(copy)
    if changed := sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)):
        obstacles.append(Obstacle(f"forward changes {', '.join(changed)}", Place()))
    for call in scored.calls:
        if is_dropout(call) and not isinstance(call.target, nn.Module) and piece_of(call).kind != "reshape":
            reason = "dropout that goes on in evaluation: give it training=self.training"
            obstacles.append(Obstacle(reason, call.place))
    if any(_pattern(one, dropout=True) != _pattern(first, dropout=True) for one in more):
        obstacles.append(Obstacle("forward does not do the same for each batch", Place()))
    elif _pattern(scored) != _pattern(first):
        obstacles.append(Obstacle("forward does something else in evaluation than in training", Place()))
    return first, obstacles


def _trace(copy: nn.Module, size: int, side: int, *, training: bool) -> Trace:
    copy.train(training)
    try:
        return trace(copy, torch.randn(size, 1, side, side, generator=torch.Generator().manual_seed(size)))
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        mode = "training" if training else "evaluation"
        reason = f"forward fails for {size} images in {mode} mode: {type(error).__name__}: {one_line(error)}"
        raise Obstacle(reason, place_of(error)) from error


def _pattern(traced: Trace, *, dropout: bool = False) -> list[tuple[object, ...]]:
    """What is called, on images of which shape, and where; with `dropout`, which evaluation has not, how much of it."""
    return [
        (function_name(call), call.shape[1:], call.place, piece_of(call).key if is_dropout(call) else ())
        for call in traced.calls
        if call.target is not None and (dropout or not is_dropout(call))
    ]


def _state(module: nn.Module) -> dict[str, object]:
    """All that a forward pass may change in a module, its classes and their files, but for running statistics, in a
    form that can be compared."""
    found: dict[str, object] = {}
    for prefix, part in module.named_modules():
        dot = f"{prefix}." if prefix else ""
        values = {name: value for name, value in vars(part).items() if not name.startswith("_") and name != "training"}
        values |= part._parameters
        if not isinstance(part, nn.modules.batchnorm._NormBase):
            values |= part._buffers
        found |= {dot + name: _comparable(value) for name, value in values.items()}
    for kind in {kind for part in module.modules() for kind in type(part).__mro__ if kind is not object}:
        if not kind.__module__.startswith("torch."):  # a counter may be in the class, or in its file
            found |= {f"{kind.__name__}.{name}": _comparable(value) for name, value in vars(kind).items()}
            of_file = getattr(vars(kind).get("forward"), "__globals__", {})
            found |= {name: _comparable(value) for name, value in of_file.items() if not name.startswith("__")}
    return found


def _comparable(value: Any) -> object:
    match value:
        case Tensor():
            return id(value), value._version
        case list() | tuple() | set():
            return [_comparable(part) for part in value]
        case dict():
            return {repr(key): _comparable(part) for key, part in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return id(value)


def _without_log_softmax(row: Row) -> tuple[Row, bool]:
    """The row up to the log_softmax that ends it, and whether there is one."""
    last = next((at for at, part in enumerate(row) if isinstance(part, Piece) and part.kind == "log_softmax"), None)
    if last is None or any(not isinstance(part, Piece) or part.kind != "reshape" for part in row[last + 1 :]):
        return row, False
    return (*row[:last], *row[last + 1 :]), True


def _names(summary: Summary, row: Row, module: nn.Module) -> dict[str, str]:
    own = {id(tensor): name for name, tensor in reversed(tensors_of(module).items())}
    pieces = [piece for piece in pieces_in(row) if piece.tensors]
    with torch.device("meta"):
        network = build_model(summary)
    layers = [(name, one) for name, one in network.named_modules() if any(True for _ in _tensors_in(one))]
    found: dict[str, str] = {}
    for (name, layer), piece in zip(layers, pieces, strict=False):
        for attribute, tensor in _tensors_in(layer):
            there = piece.tensors.get(attribute)
            if there is None or id(there) not in own or there.shape != tensor.shape:
                reason = f"its weights are not of the shape of those of {layer} in a spec"
                raise Obstacle(f"{function_name(piece.call)}: {reason}", piece.call.place)
            found[f"{name}.{attribute}"] = own[id(there)]
    if len(layers) != len(pieces):
        raise Obstacle(f"the layers of {summary.spec} are others", Place())
    return found


def _tensors_in(layer: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of a layer itself."""
    for name, tensor in (*layer._parameters.items(), *layer._buffers.items()):
        if tensor is not None:
            yield name, tensor


def _disproof(copy: nn.Module, translation: Translation, *, log_softmax: bool, task: ImageTask) -> str:
    """The reason why the spec is not the module's after all; empty when they are proven equal."""
    copy.double()
    twin = translation.twin_of(copy)
    for layer in twin.modules():
        if isinstance(layer, Conv2d | BatchNorm2d):  # ours, which round otherwise than torch's
            layer.__class__ = torch_class(type(layer))  # type: ignore[assignment]
    try:
        reason = difference(copy, twin, log_softmax=log_softmax, task=task)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # in another precision
        return f"it cannot be compared with {translation.spec}: {type(error).__name__}: {one_line(error)}"
    return f"{translation.spec} does not compute the same: {reason}" if reason else ""


def with_translation(reason: str, translated: Translation | Untranslatable | None) -> str:
    """The reason for an engine, for a user's module with the spec that it is run as, or what there is in the way."""
    match translated:
        case Translation(spec=spec):
            return f"{reason}; the module equals {spec}"
        case Untranslatable():
            return f"{reason}; the module equals no spec: {translated}"
        case _:
            return reason
