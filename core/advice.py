"""Advice on what to do about a failure. It names no option, command or key: each front end has its own words for a tip.

The words are in `tui/text/advice.py` for the command line and in `tui/live/forms/advice.py` for the interface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """The action that a tip advises. Its subject is a field, an option, or the run, study or data set it is about."""

    SET = "set"
    """Give a field this value."""
    LOWER = "lower"
    """Give a field a lower value than this."""
    SHRINK = "shrink"
    """As `LOWER`, for a field that is a size."""
    RAISE_BUDGET = "raise_budget"
    LIFT_BUDGETS = "lift_budgets"
    LIFT_RUN_BUDGETS = "lift_run_budgets"
    """Of a run that is there."""
    LEAVE_OUT = "leave_out"
    """Leave an option out."""
    CHANGE = "change"
    """Give an option another value."""
    EXAMPLE = "example"
    """An option, and a value that it may have."""
    OPTION = "option"
    """Names an option, and its value where there is one, within a sentence."""
    START_WITH = "start_with"
    """Start the program itself with a setting; the value says what that names."""
    CHOOSE = "choose"
    """Choose with an option what the value says."""
    OVERWRITE = "overwrite"
    TRACEBACK = "traceback"
    """See where in somebody's code an error was raised."""
    FEWER_AT_ONCE = "fewer_at_once"

    TRAIN = "train"
    TRAIN_GROUP = "train_group"
    RESUME = "resume"
    EXTEND = "extend"
    WATCH = "watch"
    SHOW = "show"
    VERIFY = "verify"
    LIST_RUNS = "list_runs"
    LIST_PRESETS = "list_presets"
    EXPLAIN_LAYERS = "explain_layers"
    DOWNLOAD = "download"
    BEGIN_SWEEP = "begin_sweep"
    STOP_SWEEP = "stop_sweep"
    LIST_SWEEPS = "list_sweeps"


_NEUTRAL = {
    Action.SET: "use {subject} {value}",
    Action.LOWER: "use a lower {subject} than {value}",
    Action.SHRINK: "use a smaller {subject} than {value}",
    Action.RAISE_BUDGET: "raise {subject}",
    Action.LIFT_BUDGETS: "lift both budgets",
    Action.LIFT_RUN_BUDGETS: "lift the budgets of {subject}",
    Action.LEAVE_OUT: "leave {subject} out",
    Action.CHANGE: "choose another {subject}",
    Action.EXAMPLE: "for example {value}",
    Action.OPTION: "{subject} {value}",
    Action.START_WITH: "choose {value} as {subject}",
    Action.CHOOSE: "choose {value}",
    Action.OVERWRITE: "replace it",
    Action.TRACEBACK: "the traceback says more",
    Action.FEWER_AT_ONCE: "train fewer runs at a time",
    Action.TRAIN: "train one",
    Action.TRAIN_GROUP: "train several seeds",
    Action.RESUME: "resume {subject}",
    Action.EXTEND: "extend it to more epochs",
    Action.WATCH: "watch {subject}",
    Action.SHOW: "show {subject}",
    Action.VERIFY: "verify {subject}",
    Action.LIST_RUNS: "the index of runs",
    Action.LIST_PRESETS: "the index of presets",
    Action.EXPLAIN_LAYERS: "the index of architectures explains every layer",
    Action.DOWNLOAD: "download {subject}",
    Action.BEGIN_SWEEP: "a new sweep",
    Action.STOP_SWEEP: "stop sweep {subject}",
    Action.LIST_SWEEPS: "the index of sweeps",
}


@dataclass(frozen=True, slots=True)
class Tip:
    """One thing to do, without the words for it."""

    action: Action
    subject: str = ""
    value: str = ""

    def __str__(self) -> str:
        """The tip in neutral words, for logs."""
        words = _NEUTRAL[self.action].format(subject=self.subject.replace("_", " "), value=self.value)
        return words.rstrip()


@dataclass(frozen=True, slots=True, init=False)
class Advice:
    """A sentence: texts, which are the same everywhere, and tips, which are not. Empty for no advice."""

    parts: tuple[str | Tip, ...]

    def __init__(self, *parts: str | Tip) -> None:
        object.__setattr__(self, "parts", tuple(part for part in parts if part))

    @classmethod
    def of(cls, hint: Hint) -> Advice:
        return hint if isinstance(hint, Advice) else cls(hint)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __str__(self) -> str:
        return self.worded(str)

    def worded(self, words_of: Callable[[Tip], str]) -> str:
        """The sentence, its tips in these words."""
        return "".join(part if isinstance(part, str) else words_of(part) for part in self.parts)

    def cleaned(self, clean: Callable[[str], str]) -> Advice:
        """The same with every text in it cleaned."""
        return Advice(
            *(
                clean(part) if isinstance(part, str) else Tip(part.action, clean(part.subject), clean(part.value))
                for part in self.parts
            )
        )

    def to_record(self) -> list[Any]:
        """For JSON: a text for a text, an object with the keys of `Tip` for a tip."""
        return [
            part
            if isinstance(part, str)
            else {"action": str(part.action), "subject": part.subject, "value": part.value}
            for part in self.parts
        ]

    @classmethod
    def from_record(cls, record: object) -> Advice | None:
        """Read what `to_record` wrote; None for anything else, such as a tip that only a later version knows."""
        if not isinstance(record, list):
            return None
        parts: list[str | Tip] = []
        for part in record:
            if isinstance(part, str):
                parts.append(part)
                continue
            if not isinstance(part, dict) or not all(isinstance(part.get(key), str) for key in Tip.__slots__):
                return None
            if part["action"] not in {*Action}:
                return None
            parts.append(Tip(Action(part["action"]), part["subject"], part["value"]))
        return cls(*parts)


Hint = str | Tip | Advice
"""Advice as it is given to an error: a text or a tip alone is a sentence, too."""
