"""HTML and SVG elements. Pure. Text is escaped unless `tag` made it: names from frameworks never become markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

_VOID: Final = frozenset({"meta", "br", "line", "rect", "circle", "path"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """`class_` is class, `stroke_width` stroke-width; attributes and children that are None are left out."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = join(children)
    if name in _VOID and not inside:
        return Markup(f"<{name}{pairs}>" if name in ("meta", "br") else f"<{name}{pairs}/>")
    return Markup(f"<{name}{pairs}>{inside}</{name}>")


def join(children: Iterable[object]) -> Markup:
    """Children one after the other; lists are flattened."""
    parts = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(str(child))
        elif isinstance(child, list | tuple):
            parts.append(join(child))
        elif child is not None:
            parts.append(escape(_text(child), quote=False))
    return Markup("".join(parts))


def table(columns: Iterable[str], rows: Iterable[Iterable[object]], **attributes: object) -> Markup:
    """A column whose title begins with `#` holds numbers."""
    titles = list(columns)
    kinds = ["number" if title.startswith("#") else None for title in titles]
    head = tag("tr", [tag("th", title.lstrip("#"), class_=kind) for title, kind in zip(titles, kinds, strict=True)])
    body = [tag("tr", [tag("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)]) for row in rows]
    if not body:
        body = [tag("tr", tag("td", "none", colspan=len(titles), class_="empty"))]
    return tag("div", tag("table", tag("thead", head), tag("tbody", body), **attributes), class_="wide")


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in str(value))
