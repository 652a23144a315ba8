"""The named networks and the one that is being typed, each held against the budget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from core.dataset_names import name_of as data_name
from core.errors import SpecError
from core.models.grammar.words import joined, on_the_way, texts_of
from core.models.layer import Layer
from core.models.spec import REGISTRY, find, is_user_module, named_spec
from core.models.summary import Summary, summarize
from core.task import MNIST_TASK, ImageTask
from tui.widgets.tables.table import Cell, Column, Table

OWN = "your own"


@dataclass(frozen=True, slots=True)
class DataFor:
    """What networks are for: a data set, as a config has it, and what it asks of them."""

    dataset: str = "auto"
    task: ImageTask = MNIST_TASK


MNIST = DataFor()


@lru_cache(maxsize=256)
def summary_of(arch: str, dropout: float = 0.0, data: DataFor = MNIST) -> Summary:
    """The layer table of a name or spec.

    Raises:
        SpecError.
    """
    return summarize(find(arch, data.task).with_dropout(dropout), data.task, data_name(data.dataset))


def layers_so_far(error: SpecError, spec: str, dropout: float, data: DataFor = MNIST) -> tuple[Layer, ...]:
    """The layers of a spec that is wrong: of all tokens where only the logits are missing, else of those before the one
    at fault; none where these do not fit each other either."""
    texts, logits = texts_of(spec), f"fc{data.task.classes}"  # which turn any layers into a network
    for count in (len(texts), error.position - 1):
        try:
            whole = summary_of(joined([*on_the_way(texts[:count]), logits]), dropout, data)
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
        self._data = MNIST

    def on_mount(self) -> None:
        self.show_all(self._budget, self._counted, self._data)

    @property
    def names(self) -> list[str]:
        return [*REGISTRY, OWN] if self.own_spec else list(REGISTRY)

    def spec_at(self, row: int) -> str:
        name = self.names[row]
        return self.own_spec if name == OWN else named_spec(name, self._data.task.classes)

    def show_all(self, budget: int | None, counted: Summary | None = None, data: DataFor = MNIST) -> None:
        """Hold every network against a budget and a data set; `counted` is what is known of a user's own module."""
        self._budget, self._counted, self._data = budget, counted, data
        self.show(len(self.names), self._row)

    def select(self, spec: str) -> None:
        """Make the row of a spec current; a spec without a name becomes the user's own."""
        name = name_of(spec, self._data.task.classes)
        if name not in REGISTRY:
            self.own_spec = spec
            self.show_all(self._budget, self._counted, self._data)
        self.move_to(self.names.index(name if name in REGISTRY else OWN))

    def _row(self, index: int) -> tuple[Cell, ...]:
        name = self.names[index]
        is_module = name == OWN and is_user_module(self.own_spec)
        if is_module and self._counted is None:
            return (("?", "muted"), name, "-", "-", "-")
        try:
            summary = self._counted if is_module and self._counted else summary_of(self.spec_at(index), data=self._data)
        except SpecError:
            return (("✗", "bad"), name, ("-", "muted"), "-", "-")
        fits = self._budget is None or summary.within_budget(self._budget)
        mark: Cell = ("✓", "good") if fits else ("✗", "bad")
        field = "-" if summary.receptive_field is None else str(summary.receptive_field)
        return (mark, name, f"{summary.total_params:,}", f"{summary.macs:,}", field)


def name_of(spec: str, classes: int = 10) -> str:
    """The registered name of a spec, which ends in so many logits, or the spec itself."""
    if is_user_module(spec):
        return spec.strip()
    typed = " ".join(spec.split())
    return next((name for name in REGISTRY if named_spec(name, classes) == typed), typed)
