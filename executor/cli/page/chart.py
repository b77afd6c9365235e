"""Lines over the last hour, or over what is known of it, as SVG. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from executor.cli.page.markup import Markup, tag

WIDTH: Final = 360
HEIGHT: Final = 120
_LEFT: Final = 62
_TOP: Final = 10
HOUR_S: Final = 3600.0
LEAST_S: Final = 300.0
"""How much time the axis shows at least."""


@dataclass(frozen=True)
class Line:
    """`points` are seconds before now, and values; `tone` is a colour of the style sheet."""

    name: str
    tone: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


def chart(title: str, lines: Sequence[Line], shown: Callable[[float], str], least: float = 0.0) -> Markup:
    """`shown` makes text of a value; the axis reaches `least` at least."""
    ages = [age_s for line in lines for age_s, _ in line.points]
    span_s = min(HOUR_S, max([LEAST_S, *ages]))
    top = max([least, *(value for line in lines for _, value in line.points)]) or 1.0
    scale = [
        tag("line", x1=_LEFT, x2=WIDTH, y1=_y(value, top), y2=_y(value, top), stroke="var(--line)")
        for value in (0.0, top / 2, top)
    ]
    labels = [
        tag("text", shown(value), x=_LEFT - 6, y=_y(value, top) + 4, text_anchor="end", class_="soft")
        for value in (0.0, top)
    ]
    times = [
        tag("text", text, x=x, y=HEIGHT + _TOP + 16, text_anchor=anchor, class_="soft")
        for text, x, anchor in ((_ago(span_s), _LEFT, "start"), ("now", WIDTH, "end"))
    ]
    drawn = [_line(line, top, span_s) for line in lines if line.points]
    box = f"0 0 {WIDTH} {HEIGHT + _TOP + 22}"
    svg = tag("svg", *scale, *labels, *times, *drawn, viewBox=box, role="img", aria_label=title, class_="chart")
    key = [tag("span", _dot(each), each.name) for each in lines]
    return tag("section", tag("h2", title), svg, tag("div", key, class_="key"), class_="chart")


def _dot(line: Line) -> Markup:
    return tag("span", class_="dot dashed" if line.dashed else "dot", style=f"--tone:var(--{line.tone})")


def _ago(span_s: float) -> str:
    return "1 h ago" if span_s >= HOUR_S else f"{span_s / 60:.0f} min ago"


def _line(line: Line, top: float, span_s: float) -> Markup:
    places = [f"{_x(age_s, span_s)} {_y(value, top)}" for age_s, value in line.points]
    path = f"M{'L'.join(places)}"
    dashes = "4 3" if line.dashed else None
    return tag("path", d=path, fill="none", stroke=f"var(--{line.tone})", stroke_width=2, stroke_dasharray=dashes)


def _x(age_s: float, span_s: float) -> float:
    return round(WIDTH - (WIDTH - _LEFT) * min(age_s, span_s) / span_s, 1)


def _y(value: float, top: float) -> float:
    return round(_TOP + HEIGHT * (1 - min(value, top) / top), 1)
