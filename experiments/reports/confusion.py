"""The confusion matrix of a run's predictions as an HTML table, with precision and recall of each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from core.models.summary import CLASSES
from experiments.reports.html import Html, element, joined


def confusion_table(labels: Sequence[int], predictions: Sequence[int]) -> Html:
    """A row for each true class, a column for each predicted one; the more in a wrong cell, the stronger its colour."""
    counts = Counter(zip(labels, predictions, strict=True))
    classes = range(CLASSES)
    wrong = max((counts[pair] for pair in counts if pair[0] != pair[1]), default=0)
    head = element(
        "tr", element("th", "true \\ predicted"), *(element("th", str(cls)) for cls in classes), element("th", "recall")
    )
    rows = []
    for true in classes:
        images = sum(counts[true, cls] for cls in classes)
        cells = [_cell(counts[true, cls], images if cls == true else wrong, right=cls == true) for cls in classes]
        rows.append(element("tr", element("th", str(true)), *cells, element("td", _share(counts[true, true], images))))
    called = [sum(counts[true, cls] for true in classes) for cls in classes]
    precisions = [element("td", _share(counts[cls, cls], called[cls])) for cls in classes]
    correct = sum(counts[cls, cls] for cls in classes)
    foot = element("tr", element("th", "precision"), *precisions, element("td", f"{correct:,} of {len(labels):,}"))
    grid = element("table", element("thead", head), element("tbody", joined([*rows, foot])), class_="matrix")
    caption = element("p", "Counts of test images, by the weights after the last epoch.", class_="soft")
    return joined([element("div", grid, class_="wide"), caption])


def _cell(count: int, most: int, *, right: bool) -> Html:
    if not count:
        return element("td", "")
    strength = 0.12 + 0.5 * count / most
    return element("td", count, style=f"background: rgba(var(--{'right' if right else 'wrong'}), {strength:.2f})")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}%" if whole else "-"
