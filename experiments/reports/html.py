"""HTML of a page that needs nothing else: escaped texts, tables, and a style for light and dark.

Whatever comes from a run may have been written by anybody, so a text becomes HTML here and nowhere else, and the page
forbids the browser to run or load anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

STYLE = """
:root { color-scheme: light dark; --ink: #1f2430; --soft: #5c6672; --line: #d5dae0; --page: #ffffff; --panel: #f5f7f9;
  --right: 47, 127, 193; --wrong: 209, 73, 91; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e7ec; --soft: #9aa5b1; --line: #38414b; --page: #14181d;
  --panel: #1c2229; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; } h3 { font-size: 1rem; margin-top: 1.5rem; }
p, li { max-width: 48rem; } .soft { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.5rem 0; }
th, td { padding: 0.2rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; white-space: nowrap; } .number { text-align: right; white-space: nowrap; }
td.text { overflow-wrap: anywhere; }
table.matrix td, table.matrix th { text-align: right; padding: 0.25rem 0.5rem; border: 1px solid var(--line); }
details { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 0.4rem 0.9rem;
  margin: 0.6rem 0; }
summary { cursor: pointer; font-weight: 600; } svg { max-width: 100%; height: auto; }
@media print { details { border: 0; } }
"""


@dataclass(frozen=True, slots=True)
class Html:
    """Text that is HTML already."""

    text: str

    def __str__(self) -> str:
        return self.text


Content = Html | str | int | float | None
"""Anything but `Html` is escaped; None is a dash."""


def html_of(content: Content) -> str:
    """The content as HTML, on which nothing of it acts."""
    if isinstance(content, Html):
        return content.text
    if content is None:
        return "-"
    return escape(f"{content:,}" if isinstance(content, int) and not isinstance(content, bool) else str(content))


def element(tag: str, *contents: Content, **attributes: str) -> Html:
    """One element; `class_` is the attribute `class`."""
    named = "".join(f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{named}>{''.join(map(html_of, contents))}</{tag}>")


def joined(parts: Iterable[Html]) -> Html:
    return Html("\n".join(part.text for part in parts))


def table(headers: Sequence[str], rows: Iterable[Sequence[Content]]) -> Html:
    """Numbers to the right, a dash for None; columns that have nothing in any row are left out."""
    lines = list(rows)
    used = [index for index in range(len(headers)) if any(line[index] is not None for line in lines)]
    head = element("tr", *(element("th", headers[index]) for index in used))
    body = [element("tr", *(_cell(line[index]) for index in used)) for line in lines]
    return element("div", element("table", element("thead", head), element("tbody", joined(body))), class_="wide")


def facts(values: Mapping[str, Content]) -> Html:
    """Names and values, a row each."""
    rows = [element("tr", element("th", name), _cell(value, text=True)) for name, value in values.items()]
    return element("div", element("table", element("tbody", joined(rows))), class_="wide")


def folded(title: str, *contents: Html, is_open: bool = False) -> Html:
    """Contents that a click shows and hides."""
    opened = {"open": ""} if is_open else {}
    return element("details", element("summary", title), *contents, **opened)


def page(title: str, *contents: Html) -> str:
    """The whole document."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{joined(contents)}\n</body>\n</html>\n"
    )


def _cell(value: Content, *, text: bool = False) -> Html:
    number = isinstance(value, int | float) or (isinstance(value, str) and value.rstrip("%").replace(".", "").isdigit())
    return element("td", value, class_="number" if number and not text else "text")
