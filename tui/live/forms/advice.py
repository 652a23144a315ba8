"""Advice in the words of the interface: the fields of its forms, its screens and keys."""

from __future__ import annotations

from collections.abc import Mapping

from core.advice import Action, Advice, Tip
from tui.live.forms.fields import label
from tui.text.advice import flag
from tui.text.keys import MEANINGS, key, key_in_words, keys_of

_IN_A_SHELL = {
    Action.SHOW: "in a shell: mnist-tui show {subject}",
    Action.VERIFY: "in a shell: mnist-tui verify {subject}",
    Action.EXTEND: "in a shell: mnist-tui resume {subject} --epochs N",
    Action.LIFT_RUN_BUDGETS: "in a shell: mnist-tui resume {subject} --no-budget",
    Action.LIST_PRESETS: "in a shell: mnist-tui presets",
    Action.DOWNLOAD: "in a shell: mnist-tui data download --dataset {subject}",
}
"""Advice for which the interface has no key."""

WORDS = _IN_A_SHELL | {
    Action.SET: "set {label} to {value}",
    Action.LOWER: "use a lower {name} than {value}",
    Action.SHRINK: "use a smaller {name} than {value}",
    Action.RAISE_BUDGET: "raise {label} under Advanced",
    Action.LIFT_BUDGETS: "turn Budget off there",
    Action.LEAVE_OUT: "leave {name} out",
    Action.CHANGE: "choose another {name}",
    Action.EXAMPLE: "for example {value}",
    Action.OPTION: "{name} {value}",
    Action.START_WITH: "start mnist-tui with {setting} and {value}",
    Action.CHOOSE: "choose {value}",
    Action.OVERWRITE: "replace it",
    Action.TRACEBACK: "in a shell: mnist-tui --traceback archs show",
    Action.FEWER_AT_ONCE: "start fewer seeds at a time",
    Action.TRAIN: "start one in the Lab ({lab})",
    Action.TRAIN_GROUP: "several seeds in the Lab ({lab})",
    Action.RESUME: "key {continue} in Runs",
    Action.WATCH: "open it from Runs to follow it",
    Action.LIST_RUNS: "Runs ({runs})",
    Action.EXPLAIN_LAYERS: "key {help} explains the layers",
    Action.BEGIN_SWEEP: "key {add} in Sweeps ({sweeps})",
    Action.STOP_SWEEP: "key {stop} in Sweeps ({sweeps})",
    Action.LIST_SWEEPS: "Sweeps ({sweeps})",
}


def for_interface(advice: Advice) -> str:
    """The advice as a screen shows it."""
    return advice.worded(tip_in_words)


def as_sentence(text: str) -> str:
    """A text as a sentence: with a capital and a full stop. So a tip never begins with a key, whose case matters."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('?', '.')) else '.'}" if text else ""


def tip_in_words(tip: Tip, words: Mapping[Action, str] = WORDS) -> str:
    """A tip as the interface says it, or in other words where a form has its own."""
    title = label(tip.subject)
    text = words[tip.action].format(
        label=title,
        name=title.lower(),
        flag=flag(tip.subject),
        setting=f"--{tip.subject.replace('_', '-')}",
        subject=tip.subject,
        value=tip.value,
        **{meaning: key(meaning) for meaning in MEANINGS}
        | {"help": key_in_words(keys_of("help")[-1])},  # that of a field, where the first one is a character
    )
    return text.rstrip()
