"""A revocation as a picture. Pure.

Time runs to the right from the request. Above, the steps as numbers; below, one bar a victim from the request to its
last process's end, and at the bottom the regular pods, which go on. Many victims get thin bars without names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from executor.cli.page.markup import Markup, tag

WIDTH: Final = 1120
_LEFT: Final = 190
_RIGHT: Final = 130
_LANE: Final = 20
_MARK: Final = 9
_NAME_MAX: Final = 26
_COLOURS: Final = {"exited": "var(--good)", "killed": "var(--bad)", "would-end": "var(--soft)"}
_NAMED_MAX: Final = 80
_MANY_HEIGHT: Final = 480
"""What more victims than _NAMED_MAX share."""


def timeline(receipt: Mapping[str, Any]) -> Markup:
    """The picture of a receipt (schema/receipt.json)."""
    scale = _Scale(_end_ms(receipt))
    marks, lanes = _marks(receipt["steps"], scale)
    top = lanes * _LANE + 26
    victims = sorted(receipt["victims"], key=lambda victim: (victim["ms"], victim["pod"]))
    named = len(victims) <= _NAMED_MAX
    height = (20 if len(victims) <= 30 else 14) if named else _MANY_HEIGHT / len(victims)
    bottom = round(top + max(1, len(victims)) * height + 8, 1)
    parts = [
        _grid(scale, top, bottom + 24),
        [_thread(x, lane, bottom) for x, lane in marks],
        [_bar(each, scale, top + row * height, height, named=named) for row, each in enumerate(victims)],
        _regular(receipt.get("regular"), scale, round(bottom, 1)),
        [_mark(number, x, lane) for number, (x, lane) in enumerate(marks, 1)],
    ]
    label = f"Timeline of revocation {receipt['id']}: {len(victims)} victims"
    return tag("svg", parts, viewBox=f"0 0 {WIDTH} {bottom + 46}", role="img", aria_label=label, class_="timeline")


class _Scale:
    """Milliseconds to the picture's units, with round numbers on the axis."""

    def __init__(self, end_ms: float) -> None:
        step = 10.0 ** math.floor(math.log10(end_ms / 4))
        self.step = next(step * factor for factor in (1, 2, 5, 10) if end_ms / (step * factor) <= 8)
        self.end_ms = math.ceil(end_ms / self.step) * self.step

    def x(self, ms: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(ms, self.end_ms) / self.end_ms

    def ticks(self) -> list[float]:
        return [number * self.step for number in range(round(self.end_ms / self.step) + 1)]


def _end_ms(receipt: Mapping[str, Any]) -> float:
    times = [each["ms"] for each in (*receipt["steps"], *receipt["victims"])]
    return max(1.0, *times) if times else 1.0


def _marks(steps: Sequence[Mapping[str, Any]], scale: _Scale) -> tuple[list[tuple[float, int]], int]:
    """Where each step's number stands: as low as it can without touching another one."""
    last: list[float] = []
    placed = []
    for step in steps:
        x = scale.x(step["ms"])
        lane = next((lane for lane, other in enumerate(last) if x - other > 2 * _MARK + 2), len(last))
        last[lane : lane + 1] = [x]
        placed.append((x, lane))
    lanes = max(1, len(last))
    return [(x, lanes - 1 - lane) for x, lane in placed], lanes


def _grid(scale: _Scale, top: float, bottom: float) -> list[Markup]:
    parts = []
    for ms in scale.ticks():
        x = round(scale.x(ms), 1)
        parts.append(tag("line", x1=x, x2=x, y1=top - 4, y2=bottom, stroke="var(--line)"))
        parts.append(tag("text", duration(ms), x=x, y=bottom + 16, text_anchor="middle", class_="soft"))
    return parts


def _thread(x: float, lane: int, bottom: float) -> Markup:
    middle = 12 + lane * _LANE + _MARK
    return tag(
        "line", x1=round(x, 1), x2=round(x, 1), y1=middle, y2=bottom, stroke="var(--soft)", stroke_dasharray="2 3"
    )


def _mark(number: int, x: float, lane: int) -> list[Markup]:
    y = 12 + lane * _LANE
    return [
        tag("circle", cx=round(x, 1), cy=y, r=_MARK, fill="var(--card)", stroke="var(--soft)"),
        tag("text", number, x=round(x, 1), y=y + 4, text_anchor="middle"),
    ]


def _bar(victim: Mapping[str, Any], scale: _Scale, y: float, height: float, *, named: bool) -> list[Markup]:
    x, end = scale.x(0), scale.x(victim["ms"])
    living = victim["outcome"] not in _COLOURS
    if living:
        end = scale.x(scale.end_ms)
    colour = _COLOURS.get(victim["outcome"], "var(--warn)")
    middle, thick = y + height / 2, height * (0.5 if named else 0.75)
    title = f"{_name(victim)} ({victim['pod']}): {victim['outcome']} after {duration(victim['ms'])}"
    bar = tag(
        "rect",
        tag("title", title),
        x=round(x, 1),
        y=round(middle - thick / 2, 1),
        width=round(max(2.0, end - x), 1),
        height=round(thick, 2),
        rx=2,
        fill="var(--revocable)",
        fill_opacity=0.75,
    )
    cap = tag("circle", cx=round(end, 1), cy=round(middle, 1), r=round(min(5.0, thick / 2 + 1), 2), fill=colour)
    if not named:
        return [bar, cap]
    text = victim["outcome"] if living else f"{victim['outcome']} {duration(victim['ms'])}"
    return [
        bar,
        cap,
        tag("text", _short(_name(victim)), x=_LEFT - 10, y=round(middle + 4, 1), text_anchor="end"),
        tag("text", text, x=round(end + 9, 1), y=round(middle + 4, 1), class_="soft"),
    ]


def _regular(regular: Mapping[str, Any] | None, scale: _Scale, y: float) -> list[Markup]:
    if regular is None:
        return []
    colour = "var(--regular)" if regular["unchanged"] else "var(--bad)"
    verdict = "unchanged" if regular["unchanged"] else "CHANGED"
    x, end = scale.x(0), WIDTH - _RIGHT + 14
    return [
        tag("rect", x=round(x, 1), y=y + 3, width=round(end - x, 1), height=10, rx=2, fill=colour, fill_opacity=0.75),
        tag("text", f"{regular['pods']} regular pods", x=_LEFT - 10, y=y + 12, text_anchor="end"),
        tag("text", verdict, x=round(end + 9, 1), y=y + 12, class_="soft"),
    ]


def _name(victim: Mapping[str, Any]) -> str:
    return ", ".join(victim["tasks"]) or str(victim["pod"])


def _short(text: str) -> str:
    return text if len(text) <= _NAME_MAX else f"{text[: _NAME_MAX // 2]}\u2026{text[-_NAME_MAX // 2 + 1 :]}"


def duration(ms: float) -> str:
    """For people: 12.5 ms, 3.2 s, 4 min 10 s."""
    if ms < 1000:
        return f"{ms:.3g} ms"
    if ms < 120_000:
        return f"{ms / 1000:.3g} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
