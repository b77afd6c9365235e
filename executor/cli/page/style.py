"""The page's frame, with its style sheet (style.css) inside, and the elements that repeat."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from executor.cli.page.markup import Markup, tag

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy: nothing is loaded, nothing is run."""

CSS: Final = files(__package__).joinpath("style.css").read_text(encoding="utf-8")


def page(title: str, *content: object, refresh_s: int | None = None) -> str:
    """The whole document. With `refresh_s` the browser loads it again by itself."""
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", http_equiv="refresh", content=refresh_s) if refresh_s else None,
        tag("title", title),
        tag("style", Markup(CSS)),
    ]
    document = tag("html", tag("head", head), tag("body", tag("main", content)), lang="en")
    return f"<!doctype html>\n{document}\n"


def tile(value: object, caption: str) -> Markup:
    """One figure with its name."""
    return tag("div", tag("b", value), tag("span", caption), class_="tile")


def badge(text: str, kind: str = "") -> Markup:
    """`kind` is good, bad, warn, or nothing."""
    return tag("span", text, class_=f"badge {kind}".strip())


def size(size_bytes: float) -> str:
    """In MiB, small ones with a decimal; what is large in GiB."""
    mebibytes = size_bytes / (1 << 20)
    if mebibytes >= 10_240:
        return f"{mebibytes / 1024:.1f} GiB"
    return f"{mebibytes:.0f} MiB" if mebibytes >= 10 or not size_bytes else f"{mebibytes:.1f} MiB"


def meter(caption: str, share: float, text: str, *, high: bool = False) -> Markup:
    """`share` of the bar is full, 0..1."""
    width = f"width:{100 * min(max(share, 0.0), 1.0):.1f}%"
    bar = tag("div", tag("i", class_="high" if high else None, style=width), class_="bar")
    return tag("div", tag("span", caption), bar, tag("span", text), class_="meter")
