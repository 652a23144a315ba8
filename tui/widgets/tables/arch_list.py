"""The named networks and the one that is being typed, each held against the budget."""

from __future__ import annotations

from functools import lru_cache

from core.errors import SpecError
from core.models.grammar.words import joined, on_the_way, texts_of
from core.models.layer import Layer
from core.models.spec import REGISTRY, find, is_user_module
from core.models.summary import Summary, summarize
from tui.widgets.tables.table import Cell, Column, Table

OWN = "your own"
LOGITS = "fc10"
"""The layer that turns any others into a network."""


@lru_cache(maxsize=256)
def summary_of(arch: str, dropout: float = 0.0) -> Summary:
    """The layer table of a name or spec.

    Raises:
        SpecError.
    """
    return summarize(find(arch).with_dropout(dropout))


def layers_so_far(error: SpecError, spec: str, dropout: float) -> tuple[Layer, ...]:
    """The layers of a spec that is wrong: of all tokens where only the ten logits are missing, else of those before the
    one at fault; none where these do not fit each other either."""
    texts = texts_of(spec)
    for count in (len(texts), error.position - 1):
        try:
            whole = summary_of(joined([*on_the_way(texts[:count]), LOGITS]), dropout)
        except SpecError:
            continue
        return whole.rows[:-1]
    return ()


class ArchList(Table):
    """Rows are the registry's names, then the user's own spec once there is one."""

    def __init__(self, own_spec: str, *, id: str) -> None:  # noqa: A002
        columns = (
            Column("", 1),
            Column("Architecture", 0, min_width=8),
            Column("Params", 7, right=True),
            Column("MACs", 11, right=True, rank=2),
            Column("Field", 5, right=True, rank=3),
        )
        super().__init__(columns, id=id)
        self.own_spec = own_spec
        self._counted: Summary | None = None
        self._budget: int | None = None

    def on_mount(self) -> None:
        self.show_all(self._budget, self._counted)

    @property
    def names(self) -> list[str]:
        return [*REGISTRY, OWN] if self.own_spec else list(REGISTRY)

    def spec_at(self, row: int) -> str:
        name = self.names[row]
        return self.own_spec if name == OWN else REGISTRY[name]

    def show_all(self, budget: int | None, counted: Summary | None = None) -> None:
        """Hold every network against a budget; `counted` is what is known of a user's own module."""
        self._budget, self._counted = budget, counted
        self.show(len(self.names), self._row)

    def select(self, spec: str) -> None:
        """Make the row of a spec current; a spec without a name becomes the user's own."""
        name = name_of(spec)
        if name not in REGISTRY:
            self.own_spec = spec
            self.show_all(self._budget, self._counted)
        self.move_to(self.names.index(name if name in REGISTRY else OWN))

    def _row(self, index: int) -> tuple[Cell, ...]:
        name = self.names[index]
        is_module = name == OWN and is_user_module(self.own_spec)
        if is_module and self._counted is None:
            return (("?", "muted"), name, "-", "-", "-")
        try:
            summary = self._counted if is_module and self._counted else summary_of(self.spec_at(index))
        except SpecError:
            return (("✗", "bad"), name, ("-", "muted"), "-", "-")
        fits = self._budget is None or summary.within_budget(self._budget)
        mark: Cell = ("✓", "good") if fits else ("✗", "bad")
        field = "-" if summary.receptive_field is None else str(summary.receptive_field)
        return (mark, name, f"{summary.total_params:,}", f"{summary.macs:,}", field)


def name_of(spec: str) -> str:
    """The registered name of a spec, or the spec itself."""
    if is_user_module(spec):
        return spec.strip()
    typed = " ".join(spec.split())
    return next((name for name, known in REGISTRY.items() if known == typed), typed)
