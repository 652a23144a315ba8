"""Keys bound by what they mean, so that one has the same meaning everywhere and can be changed everywhere at once."""

from __future__ import annotations

from textual.binding import Binding

from tui.text.keys import MEANINGS


def bind(
    meaning: str, action: str, description: str = "", *, tooltip: str = "", show: bool = True, priority: bool = False
) -> Binding:
    """A binding of the keys that have a meaning (see `MEANINGS`).

    Args:
        description: the word in the footer; without one the keys are not shown there.
        tooltip: what they do on this screen, for the help.
    """
    keys, words = MEANINGS[meaning]
    show = show and bool(description)
    return Binding(keys, action, description or words, show=show, tooltip=tooltip, priority=priority, id=meaning)
