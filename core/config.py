"""Everything that decides the outcome of a run, as one frozen record that checks itself.

Each field's docstring is its help text, in the interface as on the command line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from core import dataset_names
from core.advice import Action, Advice, Tip
from core.errors import InvalidValue, OverBudget, shown
from core.fields import check_schedule, has_effect

Schedule = Literal["constant", "onecycle", "cosine", "step", "multistep", "plateau"]
Optimizer = Literal["sgd", "adam", "adamw", "rmsprop", "muon"]
Decayed = Literal["all", "weights"]
Anneal = Literal["cos", "linear"]
Views = Literal["none", "shift", "affine"]
Precision = Literal["fp32", "tf32", "bf16"]
EngineChoice = Literal["auto", "eager", "native", "compile", "graph"]

AUGMENTATIONS = (
    *("shift", "affine", "rotate", "scale", "shear", "elastic"),
    *("erase", "brightness", "contrast", "crop"),
)
"""The kinds of random changes to training images, that `augment` lists."""

MAX_PARAMS = 20_000
"""The exercise's limit: a network fits when it has at most this many parameters."""

MACHINE_FIELDS = ("device", "engine", "precision")
"""Fields with values that some machines do not support."""

_Count = Annotated[int, Field(ge=1, le=10_000_000)]
_Share = Annotated[float, Field(ge=0, lt=1)]
_Augmentations = Annotated[str, AfterValidator(lambda text: ",".join(augmentations_of(text)) or "none")]
_Milestones = Annotated[
    str,
    Field(pattern=r"^[1-9][0-9]{0,4}( *[,+] *[1-9][0-9]{0,4})*$", max_length=1000),
    AfterValidator(lambda text: ",".join(map(str, sorted(map(int, text.replace("+", ",").split(",")))))),
]
_Dataset = Annotated[str, Field(pattern=dataset_names.PATTERN, max_length=1000)]
_Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:[0-9]{1,2})?|mps)$")]

_PATTERNS_IN_WORDS = {
    "dataset": dataset_names.ALLOWED,
    "device": "auto, cpu, cuda, cuda:N or mps",
    "augment": f"none, or some of {', '.join(AUGMENTATIONS[:-1])} and {AUGMENTATIONS[-1]}, each once, "
    "with commas or + between them",
    "milestones": "epochs from 1 on, with commas or + between them",
    "teacher": "the id or name of a run or a group, latest, or nothing",
}


class TrainConfig(BaseModel):
    """One training run. Equal configs on one machine give equal weights."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    arch: Annotated[str, Field(min_length=1, max_length=1000)] = "conv9"
    """Architecture: a name, a spec such as "c8p1 p2 c16 gap fc10", or FILE.py:CLASS."""
    dataset: _Dataset = "auto"
    """Data set, by name or path; auto is full MNIST, or the bundled 5,000 digits where that cannot be had."""
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Passes over the training images."""
    batch_size: Annotated[int, Field(ge=1, le=60_000)] = 256
    """Images in one step of the optimizer."""
    lr: Annotated[float, Field(gt=0, le=100)] = 0.03772
    """Learning rate; the highest one where the schedule changes it."""
    optimizer: Optimizer = "sgd"
    """How weights follow their gradients; muon is for matrices and kernels, with AdamW for the rest."""
    momentum: _Share = 0.9
    """Momentum."""
    nesterov: bool = False
    """Nesterov momentum."""
    beta1: _Share = 0.9
    """Adam: how much of the mean of the gradients each step keeps."""
    beta2: _Share = 0.999
    """Adam: how much of the mean of the squared gradients each step keeps."""
    alpha: _Share = 0.99
    """rmsprop: how much of the mean of the squared gradients each step keeps."""
    eps: Annotated[float, Field(gt=0, le=1)] = 1e-8
    """Added to the root of the mean of the squared gradients, by which a step is divided."""
    adamw_lr: Annotated[float, Field(gt=0, le=100)] = 0.003
    """muon: learning rate of AdamW, for norms, biases and whatever else is no matrix; it follows the same schedule."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Pull of the weights towards 0: an L2 penalty, with adamw and muon apart from the gradient."""
    decay: Decayed = "all"
    """What weight decay is for: all parameters, or the weights alone, without norms and biases."""
    l1: Annotated[float, Field(ge=0, le=1)] = 0.0
    """L1 penalty on the parameters that weight decay is for: pulls each towards 0 by the same amount."""
    clip_norm: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """Largest norm of the gradient of all parameters together, to which a longer one is cut; 0 for none."""
    schedule: Schedule = "constant"
    """How the learning rate changes over the run."""
    warmup_epochs: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Epochs in which the learning rate first rises in a line, before any schedule but onecycle, which has its own."""
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """onecycle: share of the run in which the learning rate rises."""
    anneal: Anneal = "cos"
    """onecycle: along a cosine or in a straight line."""
    div_factor: Annotated[float, Field(ge=1, le=1e9)] = 25.0
    """onecycle: it starts at the highest learning rate divided by this."""
    final_div_factor: Annotated[float, Field(ge=1, le=1e9)] = 1e4
    """onecycle: it ends at the start divided by this."""
    three_phase: bool = False
    """onecycle: fall to the start as long as it rose, and only then to the end."""
    cycle_momentum: bool = False
    """onecycle: let the momentum go the other way, from max_momentum down to base_momentum and back."""
    base_momentum: _Share = 0.85
    """cycle_momentum: the lowest momentum."""
    max_momentum: _Share = 0.95
    """cycle_momentum: the highest momentum."""
    step_size: Annotated[int, Field(ge=1, le=10_000)] = 7
    """step: epochs between two drops of the learning rate, counted from the end of a warm-up."""
    milestones: _Milestones = "10,15"
    """multistep: epochs after which the learning rate drops, counted from the end of a warm-up."""
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    """step, multistep, plateau: factor that the learning rate is multiplied by at each drop."""
    patience: Annotated[int, Field(ge=0, le=10_000)] = 3
    """plateau: epochs without a lower loss to let pass before a drop; by held-out images, else the test set."""
    threshold: Annotated[float, Field(ge=0, lt=1)] = 1e-4
    """plateau: a loss is lower when it is by this share."""
    min_lr: Annotated[float, Field(ge=0, le=100)] = 0.0
    """cosine, plateau: the lowest learning rate."""
    augment: _Augmentations = "none"
    """Random changes to training images: none, or a list of kinds in their order, such as affine,erase."""
    shift: Annotated[float, Field(ge=0, le=14)] = 2.0
    """shift, affine: the largest shift, in pixels (shift rounds it down to whole ones)."""
    rotation: Annotated[float, Field(ge=0, le=180)] = 10.0
    """rotate, affine: the largest rotation, in degrees."""
    scale: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """scale, affine: the largest change of size; 0.1 is ten percent."""
    shear: Annotated[float, Field(ge=0, le=60)] = 10.0
    """shear: the largest slant to either side, in degrees."""
    elastic: Annotated[float, Field(ge=0, le=100)] = 34.0
    """elastic: the largest displacement before displacements are smoothed, in pixels; after it most are far smaller."""
    elastic_sigma: Annotated[float, Field(gt=0, le=14)] = 4.0
    """elastic: deviation of the Gaussian that smooths the displacements, in pixels."""
    erase: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """erase: largest share of the image that a rectangle covers; its pixels become 0, the background."""
    erase_chance: Annotated[float, Field(ge=0, le=1)] = 0.5
    """erase: share of the images in which a rectangle is erased."""
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.3
    """brightness: largest share by which all pixels are made brighter or darker."""
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.3
    """contrast: largest share by which all pixels move from or to the image's mean."""
    crop: Annotated[int, Field(ge=0, le=14)] = 2
    """crop: pixels of empty border on each side before a piece of the old size is cut out anywhere."""
    dropout: _Share = 0.0
    """Dropout after each block of the architecture that ends in a norm."""
    label_smoothing: _Share = 0.0
    """Share of each target that is spread over all classes."""
    ema: bool = False
    """Score an exponential moving average of the weights instead of the weights themselves."""
    ema_decay: Annotated[float, Field(gt=0, lt=1)] = 0.998
    """How much of the moving average each step keeps."""
    swa: bool = False
    """Score the plain mean of the weights after each of the last epochs instead of the weights themselves."""
    swa_start: Annotated[float, Field(ge=0, lt=1)] = 0.75
    """swa: share of the run after which the mean begins."""
    teacher: Annotated[str, Field(max_length=1000)] = ""
    """A stored run to learn from beside the labels: its network's probabilities are targets, too (distillation)."""
    teacher_weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    """teacher: its share of the loss; the labels have the rest."""
    temperature: Annotated[float, Field(gt=0, le=100)] = 4.0
    """teacher: divides the logits of both networks, so that more than the likeliest class counts."""
    tta: Views = "none"
    """Test-time augmentation: in the end also score the mean of the logits of several views of each test image."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Fixes initial weights, data order, augmentation and dropout."""
    val_split: Annotated[int, Field(ge=0, le=50_000)] = 0
    """Training images held out to choose the epoch by, the same for every seed; 0 scores the test set each epoch."""
    target: Annotated[float, Field(gt=0, le=100)] = 99.4
    """Test accuracy to reach, in percent (on the held-out images where there are some)."""
    stop_at_target: bool = False
    """Finish after the first epoch that reaches the target."""
    early_stop: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Finish after so many epochs without a better accuracy (by held-out images where there are some); 0: never."""
    limit_train: _Count | None = None
    """Use only this many training images, the first ones."""
    limit_test: _Count | None = None
    """Use only this many test images, the first ones."""
    device: _Device = "auto"
    """Where to train: auto takes a GPU where there is one."""
    precision: Precision = "fp32"
    """Arithmetic of the training step (tf32 on CUDA only); scores are always computed in fp32."""
    engine: EngineChoice = "auto"
    """How a step is executed: plainly, by C kernels for a CPU, compiled or as a CUDA graph; auto takes the fastest."""
    max_params: Annotated[int, Field(ge=1, le=10**9)] = MAX_PARAMS
    """Parameter budget: larger networks are refused."""
    max_epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Epoch budget: longer runs are refused."""
    budget: bool = True
    """Refuse runs over the parameter or the epoch budget."""
    run_whole_file: bool = False
    """FILE.py:CLASS: run all of the file, not only what the network needs of it."""

    @classmethod
    def checked(cls, values: Mapping[str, object]) -> Self:
        """Build a config from values that have not been checked.

        Raises:
            InvalidValue: naming the first field that is wrong, its value and what is allowed.
            OverBudget: for too many epochs.
        """
        config = cls.each_checked(values)
        every = config.model_dump()
        if config.nesterov and config.momentum == 0 and all(has_effect(one, every) for one in ("nesterov", "momentum")):
            way_out = Tip(Action.SET, "momentum", "0.9")
            raise InvalidValue("nesterov", True, "needs a momentum above 0", hint=way_out)
        check_schedule(every)
        if config.swa and config.ema:
            raise InvalidValue("swa", True, "cannot be used with ema", hint="switch one of the two off")
        config.check_epoch_budget()
        return config

    @classmethod
    def each_checked(cls, values: Mapping[str, object]) -> Self:
        """Build a config from values each of which is checked by itself, not whether they go together.

        Raises:
            InvalidValue: naming the first field that is wrong, its value and what is allowed.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _invalid_value(error.errors(include_url=False)[0]) from None

    def changed(self, **values: object) -> Self:
        """A copy with some fields changed, checked as `checked` does."""
        return self.checked(self.model_dump() | values)

    def check_epoch_budget(self) -> None:
        """Raise `OverBudget` when the run has more epochs than are allowed."""
        if self.budget and self.epochs > self.max_epochs:
            raise OverBudget(
                f"epochs = {self.epochs}: at most {self.max_epochs} within the budget",
                hint=Advice(Tip(Action.RAISE_BUDGET, "max_epochs"), ", or ", Tip(Action.LIFT_BUDGETS)),
            )

    def check_parameter_budget(self, total_params: int) -> None:
        """Raise `OverBudget` when a network of so many parameters is not allowed."""
        if self.budget and total_params > self.max_params:
            over = total_params - self.max_params
            raise OverBudget(
                f"arch = {self.arch}: {total_params:,} parameters, {over:,} over the budget of {self.max_params:,}",
                hint=Advice(
                    "use narrower layers, ", Tip(Action.RAISE_BUDGET, "max_params"), ", or ", Tip(Action.LIFT_BUDGETS)
                ),
            )


def augmentations_of(text: str) -> tuple[str, ...]:
    """The kinds in a list, which has commas or plus signs between them; none for "none".

    Raises:
        ValueError: when it is no such list.
    """
    kinds = tuple(part.strip() for part in text.replace("+", ",").split(","))
    if kinds == ("none",):
        return ()
    if len(set(kinds)) < len(kinds) or not set(kinds).issubset(AUGMENTATIONS):
        raise ValueError("it is not a list of different augmentations")
    return kinds


def field_help(field: str) -> str:
    """The meaning of a field, in a sentence."""
    return TrainConfig.model_fields[field].description or ""


def allowed_values(field: str) -> str:
    """The values that a field accepts, in words: "a number above 0 and at most 100"."""
    if field in _PATTERNS_IN_WORDS:
        return _PATTERNS_IN_WORDS[field]
    info = TrainConfig.model_fields[field]
    kinds = get_args(info.annotation) or (info.annotation,)
    if all(isinstance(kind, str) for kind in kinds):
        return f"one of {', '.join(kinds)}"
    if bool in kinds:
        return "true or false"
    if str in kinds:
        return "a text of 1 to 1000 characters"
    noun = "a whole number" if int in kinds or _Count in kinds else "a number"
    return f"{noun} {_bounds(info)}"


_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def _bounds(info: FieldInfo) -> str:
    constraints = list(info.metadata)
    for kind in get_args(info.annotation):
        for meta in getattr(kind, "__metadata__", ()):
            constraints += meta.metadata if isinstance(meta, FieldInfo) else [meta]
    words = [
        f"{word} {_plain(getattr(constraint, key))}"
        for key, word in _BOUNDS.items()
        for constraint in constraints
        if hasattr(constraint, key)
    ]
    return " and ".join(words)


def _plain(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.15g}"


def _invalid_value(error: ErrorDetails) -> InvalidValue:
    field = str(error["loc"][0]) if error["loc"] else "config"
    value: Any = error["input"]
    if field not in TrainConfig.model_fields:
        close = get_close_matches(field, TrainConfig.model_fields, n=1)
        hint = f"did you mean {close[0]}?" if close else "fields have the names of the options, with _ for -"
        return InvalidValue(shown(field, 40), value, "there is no such field", hint=hint)
    if isinstance(value, str) and allowed_values(field).startswith(("a number", "a whole", "true")):
        value = json.dumps(value)  # with its quotes, which are what is wrong
    return InvalidValue(field, value, f"must be {allowed_values(field)}", hint=field_help(field))
