"""The charts of the last hour on the node's page."""

from __future__ import annotations

import re
from typing import Any

from executor.cli.page.past import Past

USAGE: dict[str, Any] = {
    "classes": [
        {"class": name, "cpus_used": 0.5, "cpus": 1.0, "memory_bytes": 1 << 20, "pressure": {"cpu": None}}
        for name in ("regular", "revocable")
    ]
}


def lending(surplus: float, borrowed: float) -> dict[str, Any]:
    owner = {"role": "spark", "reserved": {"cpus": 4.0}, "surplus": {"cpus": surplus}}
    return {"owners": [owner], "offer": {"cpus": surplus}, "borrowed": {"cpus": borrowed}}


def drawn(past: Past, now_s: float) -> dict[str, list[str]]:
    """The lines of each chart, as paths."""
    sections = re.findall(r"<section class=\"chart\">.*?</section>", str(past.charts(now_s)), flags=re.DOTALL)
    assert sections
    return {re.findall("<h2>(.*?)</h2>", each)[0]: re.findall(r'<path d="(.*?)"', each) for each in sections}


def test_without_a_lender_there_is_no_chart_of_lending() -> None:
    past = Past()
    past.add(0.0, USAGE)
    assert "begin now" in str(past.charts(1.0))
    past.add(10.0, USAGE)
    assert "Lending: cores of the owners" not in drawn(past, 10.0)


def test_what_owners_hold_what_is_offered_and_what_is_borrowed() -> None:
    past = Past()
    for at_s, surplus, borrowed in ((0.0, 4.0, 0.0), (100.0, 4.0, 4.0), (200.0, 1.0, 1.0)):
        past.add(at_s, USAGE, lending(surplus, borrowed))
    held, offered, rented = drawn(past, 200.0)["Lending: cores of the owners"]
    heights = [[float(point.split()[1]) for point in line[1:].split("L")] for line in (held, offered, rented)]
    zero, full = max(map(max, heights)), min(map(min, heights))
    unit = (full - zero) / 4
    assert [[round((y - zero) / unit) for y in line] for line in heights] == [[0, 0, 3], [4, 4, 1], [0, 4, 1]]


def test_what_is_kept_is_an_hour() -> None:
    past = Past()
    for number in range(1000):
        past.add(number * 10.0, USAGE, lending(4.0, 0.0))
    assert len(past.samples) == len(past.lending) == 360
