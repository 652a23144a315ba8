"""The keys of the interface: each has one meaning, the same on every screen, and a user may give it others.

To add a key, add its meaning here and bind it by that name (`tui.widgets.keys.bind`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from difflib import get_close_matches
from typing import NamedTuple


class Meaning(NamedTuple):
    """`keys` as Textual names them, with commas between them, the first one shown; `words` say what they mean."""

    keys: str
    words: str


MEANINGS: Mapping[str, Meaning] = {
    "lab": Meaning("1,f2", "the Lab; F2 from inside a field"),
    "training": Meaning("2,f3", "Training; F3 from inside a field"),
    "runs": Meaning("3,f4", "Runs; F4 from inside a field"),
    "sweeps": Meaning("4,f5", "Sweeps; F5 from inside a field"),
    "help": Meaning("?,f1", "explain this screen and its keys; F1 from inside a field"),
    "commands": Meaning("ctrl+p", "find a command, run, group, preset or network by its name"),
    "copy": Meaning("Y", "copy the id, the spec or the command of what is shown"),
    "jump": Meaning(";,ctrl+n", "label all that can be reached with letters; a letter goes there"),
    "settings": Meaning("comma", "the settings"),
    "quit": Meaning("q", "quit"),
    "quit_anywhere": Meaning("ctrl+q", "quit, from inside a field or a dialog too"),
    "suspend": Meaning("ctrl+z", "into the background; fg in the shell brings it back"),
    "back": Meaning("escape", "out of a field, a filter, a chart or a dialog; back"),
    "open": Meaning("enter", "open, choose or accept"),
    "turn": Meaning("space", "turn what is under the cursor on or off; show the whole row of a list"),
    "mark": Meaning("+,insert", "mark what is under the cursor"),
    "next_view": Meaning("tab", "the next view, chart or field"),
    "previous_view": Meaning("shift+tab", "the previous view, chart or field"),
    "next": Meaning("n,]", "the next seed, pair or image"),
    "previous": Meaning("p,[", "the previous seed, pair or image"),
    "up": Meaning("up,k", "up"),
    "down": Meaning("down,j", "down"),
    "left": Meaning("left", "left"),
    "right": Meaning("right", "right"),
    "far_up": Meaning("shift+up", "up, four at once"),
    "far_down": Meaning("shift+down", "down, four at once"),
    "far_left": Meaning("shift+left", "left, four at once"),
    "far_right": Meaning("shift+right", "right, four at once"),
    "page_up": Meaning("pageup", "a page up"),
    "page_down": Meaning("pagedown", "a page down"),
    "half_up": Meaning("ctrl+u", "half a page up"),
    "half_down": Meaning("ctrl+d", "half a page down"),
    "first": Meaning("g,home", "to the first"),
    "last": Meaning("G,end", "to the last"),
    "start": Meaning("ctrl+r", "start the run"),
    "start_detached": Meaning("ctrl+o", "start it in a process of its own, or put it in line for one"),
    "line": Meaning("Q", "what waits in line"),
    "earlier": Meaning("K", "earlier in line"),
    "later": Meaning("J", "later in line"),
    "stop": Meaning("x", "stop, after a checkpoint"),
    "give_up": Meaning("X", "give up one trial of a sweep, after a question"),
    "continue": Meaning("c", "continue"),
    "fork": Meaning("f", "fork: its values in the Lab"),
    "edit": Meaning("e", "edit the spec, or the name of a run"),
    "values": Meaning("v", "to the values; of a sweep, its parameters against value"),
    "presets": Meaning("V", "the presets, with their measured accuracy"),
    "digits": Meaning("D,ctrl+g", "images as augmentation makes them; ctrl+g from inside a field"),
    "find_rate": Meaning("L,ctrl+l", "look for a learning rate; ctrl+l from inside a field"),
    "as_spec": Meaning("S", "write a module of your own as a spec"),
    "unlink": Meaning("U", "stop comparing with the original of a fork"),
    "inspect": Meaning("i", "inspect the network"),
    "draw": Meaning("w", "draw an image for the network"),
    "log_scale": Meaning("l", "linear or log scale"),
    "accuracies": Meaning("y", "the accuracy axis: all, around the target, or the error"),
    "smooth": Meaning("s", "smooth the curves"),
    "zoom": Meaning("z", "zoom: all epochs, or the last ones"),
    "by": Meaning("b", "by epoch, by step or by second"),
    "metric": Meaning("m", "the next chart or metric, on its own"),
    "events": Meaning("E", "show or hide the messages of the run"),
    "together": Meaning("h", "all seeds of the group in the charts, or the one that is shown"),
    "trends": Meaning("T", "rate, gap, gradients, steps and load over the epochs, in the place of their scores"),
    "filter": Meaning("/", "filter"),
    "order": Meaning("o", "the next order of the list"),
    "tag": Meaning("t", "set the tags"),
    "mark_group": Meaning("*", "mark the whole group"),
    "compare": Meaning("=", "compare what is marked"),
    "delete": Meaning("d,delete", "delete a run, after a question; clear a drawing"),
    "again": Meaning("r", "read, or draw, again"),
    "add": Meaning("a", "add a sweep, or a trial by hand"),
    "best": Meaning("B", "to the best trial"),
    "race": Meaning("H", "the race of a sweep, round by round"),
    "mistake": Meaning("M", "the images of the commonest mistake"),
    "weights": Meaning("W", "final weights, those of the best epoch, or of the last checkpoint"),
    "run_code": Meaning("!", "run the code of the run's own module"),
    "undo": Meaning("u", "take back the last stroke, or all that was chosen"),
    "save": Meaning("ctrl+s", "save a drawing, or a note"),
    "note": Meaning("N", "write a note on the run"),
    "report": Meaning("R", "write a report"),
    "preview": Meaning("P", "show or hide the preview of the run"),
    "reverse": Meaning("O", "the order of the list the other way round"),
    "columns": Meaning("C", "choose the columns of the list"),
    "fold_all": Meaning("F", "unfold or fold all groups and sweeps"),
    "mark_all": Meaning("A", "mark all that is listed"),
    "editor": Meaning("f6", "open the note in your own editor"),
    "headings": Meaning("ctrl+t", "put headings into the note"),
}
"""By name: the keys, and what they mean wherever they mean something."""

_SHOWN = {"escape": "esc", "slash": "/", "plus": "+", "minus": "-", "underscore": "_", "backslash": "\\", "at": "@"}
_chosen: dict[str, str] = {}
"""The keys that the user of this process has chosen, by meaning."""


def use_keys(keymap: Mapping[str, str]) -> None:
    """Let all texts name these keys from now on, in the place of the usual ones."""
    _chosen.clear()
    _chosen.update(keymap)


def keys_of(meaning: str) -> list[str]:
    """The keys of a meaning, as Textual names them."""
    return (_chosen.get(meaning) or MEANINGS[meaning].keys).split(",")


def key(meaning: str) -> str:
    """The first key of a meaning, as a person calls it."""
    return key_in_words(keys_of(meaning)[0])


def with_keys(text: str) -> str:
    """A text of the program with the keys in their places: ``{stop} stops it``."""
    return re.sub(r"\{(\w+)\}", lambda found: key(found[1]), text)


def key_in_words(name: str) -> str:
    """A key of Textual's as a person calls it: ``question_mark`` is ?, ``ctrl+r`` stays as it is."""
    if len(name) == 1:
        return name
    *modifiers, last = name.split("+")
    shown = _SHOWN.get(last, last)
    if (shown == last and "_" in last) or last in ("comma", "colon", "semicolon", "asterisk", "apostrophe"):
        try:
            shown = unicodedata.lookup(last.replace("_", " "))
        except KeyError:
            shown = last
    elif re.fullmatch(r"f\d+", last):
        shown = last.upper()
    return "+".join([*modifiers, shown])


def accepted(keymap: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What of a user's keymap can be had, and a line for each part that cannot.

    Args:
        keymap: by meaning, keys with commas between them.
    """
    problems: list[str] = []
    taken: dict[str, str] = {}
    for name, keys in keymap.items():
        if name not in MEANINGS:
            close = get_close_matches(name, MEANINGS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            problems.append(f"keymap: {name} = {keys}: there is no such command{hint}")
        elif unknown := [part for part in keys.split(",") if not _is_key(part)]:
            problems.append(f"keymap: {name} = {keys}: there is no key {unknown[0]}")
        else:
            taken[name] = keys
    while clash := _clash(taken):
        name, shared, owner = clash
        keys = taken.pop(name)
        problems.append(f"keymap: {name} = {keys}: {shared} is the key of {owner}; give that another")
    return taken, problems


def _is_key(name: str) -> bool:
    from textual.keys import Keys  # only for who has a keymap

    *modifiers, last = name.split("+") if name not in ("+",) else [name]
    is_one = len(last) == 1 or len(key_in_words(last)) == 1 or last in {*_SHOWN, *Keys}
    return is_one and set(modifiers) <= {"ctrl", "alt", "shift"}


def _clash(taken: dict[str, str]) -> tuple[str, str, str] | None:
    """The last of the meanings taken that has a key of another, that key, and the other."""
    keys = {
        name: {key_in_words(part) for part in taken.get(name, meaning.keys).split(",")}
        for name, meaning in MEANINGS.items()
    }
    for name in reversed(taken):
        for other, theirs in keys.items():
            if other != name and (shared := keys[name] & theirs):
                return name, min(shared), other
    return None
