"""Completion of what is typed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from textual.suggester import Suggester


class ListCompletion(Suggester):
    """Completes a word, in a list with commas the last one; the key right takes it."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(use_cache=False)
        self._words = tuple(words)

    async def get_suggestion(self, value: str) -> str | None:
        *before, typed = re.split(r"[,+]", value)
        typed = typed.strip()
        used = {word.strip() for word in before}
        found = next((word for word in self._words if word.startswith(typed) and word not in used), None)
        return None if found is None or not typed or found == typed else value + found[len(typed) :]
