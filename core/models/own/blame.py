"""Whose fault an exception is: the line of a user's file that raised it, in a sentence, and what to do about it."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from core.advice import Action, Advice, Hint, Tip
from core.errors import InvalidValue, LabError, one_line
from core.models.own.program import PROGRAMS, Program
from core.models.own.source import place
from core.task import MNIST_TASK, ImageTask

_IMAGES = "images here are {images}"
_SENTENCES: tuple[tuple[str, str], ...] = (
    (
        r"Expected more than 1 (?:value per channel|spatial element) when training, "
        r"got input size (?:torch.Size\()?(\[.*\])",
        "a norm over a single value, which has no deviation: its input is {0}",
    ),
    (
        r"expected input\[.*\] to have (\d+) channels, but got (\d+) channels",
        f"a convolution wants {{0}} channels, and its input has {{1}}; {_IMAGES}",
    ),
    (
        r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)",
        f"a linear layer wants {{1}} values, and its input has {{0}}; {_IMAGES}",
    ),
    (
        r"shape '(\[.*\])' is invalid for input of size (\d+)",
        f"{{1}} values do not make up the shape {{0}}; {_IMAGES}",
    ),
    (
        r"Calculated padded input size per channel: \((.*?)\). Kernel size: \((.*?)\)",
        f"a kernel of {{1}} does not fit a map of {{0}}; {_IMAGES}",
    ),
    (
        r"Given input size: \((.*?)\). Calculated output size: \(.*\). Output size is too small",
        f"pooling leaves nothing of a map of {{0}}; {_IMAGES}",
    ),
    (
        r"Torch not compiled with CUDA|Found no NVIDIA driver|No CUDA GPUs are available|Tried to instantiate.* CUDA",
        "asks for a GPU itself; leave that out: the run puts the network where it trains",
    ),
    (
        r"Input type \([\w.]+\) and |(?:must have the same dtype|expected scalar type|to have the same dtype)"
        r".*(?:[Dd]ouble|[Hh]alf|BFloat16)",
        "mixes float32 with another type; the run, its images and its weights are float32",
    ),
    (
        r"Only Tensors created explicitly by the user",
        "has a tensor that cannot be copied, such as that of the old weight_norm; the one of "
        "torch.nn.utils.parametrizations can",
    ),
)
_PACKAGES = {
    "cv2": "opencv-python",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "torchsummary": "torchsummary",
    "pytorch_lightning": "pytorch-lightning",
    "torch_lr_finder": "torch-lr-finder",
    "dotenv": "python-dotenv",
    "bs4": "beautifulsoup4",
    "attr": "attrs",
    "tensorflow_addons": "tensorflow-addons",
    "IPython": "ipython",
    "google": "",
}
"""What a module's package is called where it has another name."""
_OTHER_LIBRARIES = ("tensorflow", "keras", "jax", "flax", "haiku", "equinox", "mxnet", "paddle", "chainer", "mlx")

RUN_ALL = Advice(Tip(Action.OPTION, "run_whole_file"), " runs all of the file")
"""What to do about a name that is left out."""

Frame = tuple[FrameType, int]


def blame(error: BaseException, files: Iterable[Path], task: ImageTask = MNIST_TASK) -> str:
    """An exception in one line: ``net.py:17: x = self.fc(x): a linear layer wants 64 values, and its input has 32``.

    The line is the innermost one of the user's `files`; without one of theirs, the layer where it happened is named.
    """
    cause, program, name = _cause(error)
    where = _where(cause, {str(path) for path in files})
    what = f"needs {left_out_in_words(program, name)}" if program and name in program.left_out else _what(cause, task)
    return one_line(": ".join(filter(None, (where, what))), 260)


def way_out(error: BaseException) -> Hint:
    """What to do about an exception of a user's code."""
    cause, program, name = _cause(error)
    if isinstance(cause, ModuleNotFoundError) and (missing := _missing(cause)):
        if missing in _OTHER_LIBRARIES:
            return f"networks of PyTorch are trained here, not those of {missing}; for anything else leave it out"
        package = _PACKAGES.get(missing, missing)
        beside = "" if missing in _PACKAGES else f", or put {missing}.py beside the file"
        return f"run pip install {package}{beside}" if package else f"{missing} is not available here: leave it out"
    if isinstance(cause, FileNotFoundError):
        return "put the file there, or name the network's class, which needs none"
    return RUN_ALL if program is not None and name in program.left_out else Tip(Action.TRACEBACK)


@contextmanager
def blaming(arch: str, files: Iterable[Path], doing: str = "", task: ImageTask = MNIST_TASK) -> Iterator[None]:
    """Turn whatever the user's code raises, leaving by SystemExit too, into one line that names it."""
    try:
        yield
    except LabError:
        raise
    except (Exception, SystemExit) as error:
        reason = ": ".join(filter(None, (doing, blame(error, files, task))))
        raise InvalidValue("arch", arch, reason, hint=way_out(error)) from error


def left_out_in_words(program: Program, name: str) -> str:
    """Why a name is missing: ``args, made at net.py:40 (args = parser.parse_args()), which is not run``."""
    filename, line = str(program.script.path), program.left_out[name].lineno
    return f"{name}, made at {place(filename, line)} ({_shown(linecache.getline(filename, line))}), which is not run"


def _where(error: BaseException, files: set[str]) -> str:
    if isinstance(error, SyntaxError) and error.filename in files:
        if not error.lineno:
            return Path(error.filename).name
        return f"{place(error.filename, error.lineno)}: {_shown(error.text or '')}".removesuffix(": ")
    frames = _frames(error)
    for frame, line in frames:
        filename = frame.f_code.co_filename
        if filename in files or str(Path(filename).resolve()) in files:
            return f"{place(filename, line)}: {_shown(linecache.getline(filename, line))}"
    return next((one_line(layer, 60) for frame, _ in frames if (layer := _layer(frame))), "")


def _frames(error: BaseException) -> list[Frame]:
    """Innermost first."""
    return list(reversed(list(traceback.walk_tb(error.__traceback__))))


def _layer(frame: FrameType) -> str:
    """The layer whose method a frame is, as torch prints it."""
    owner: Any = frame.f_locals.get("self")
    return str(owner) if hasattr(owner, "extra_repr") and not list(owner.children()) else ""


def _shown(statement: str) -> str:
    return one_line(statement, 60)


def _what(error: BaseException, task: ImageTask) -> str:
    """What happened, in a sentence where that is known."""
    if isinstance(error, ModuleNotFoundError):
        missing, last = _missing(error), (error.name or "").rpartition(".")[2]
        return (
            f"needs {missing}, which is not installed"
            if missing
            else f"there is no file {last}.py and no folder {last}"
        )
    message = re.sub(r"\bown\d+\.", "", str(error))
    for pattern, sentence in _SENTENCES:
        if match := re.search(pattern, message, re.DOTALL):
            return sentence.format(*match.groups(), images=task.pixels)
    return _plain(error)


def _plain(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {one_line(error.msg, 110)}" if error.lineno else one_line(error.msg, 110)
    message = re.sub(r"\bown\d+\.", "", str(error))
    return f"{type(error).__name__}: {one_line(message, 130) or 'no message'}"


def _cause(error: BaseException) -> tuple[BaseException, Program | None, str]:
    """The error because of which a name is missing, the file in which it is, and the name."""
    program, name = None, ""
    seen: set[int] = set()
    while isinstance(error, NameError) and id(error) not in seen and (frames := _frames(error)):
        seen.add(id(error))
        found = PROGRAMS.get(str(frames[0][0].f_globals.get("__name__")))
        if found is None or not (error.name in found.failures or error.name in found.left_out):
            break
        program, name = found, str(error.name)
        error = found.failures.get(name, error)
    return error, program, name


def _missing(error: ModuleNotFoundError) -> str:
    """The module that is not installed; empty for one of the user's own."""
    name = error.name or ""
    return "" if re.match(r"own\d+\.", name) else name.partition(".")[0]
