"""The section of the node's page about lending."""

from __future__ import annotations

import re

from executor.cli.page.lending import lending
from executor.cli.page.node import node
from executor.lending import rules
from executor.lending.accounts import Loan
from executor.lending.amount import Amount
from executor.names import ExecutorId, FrameworkId, Role, TaskId
from tests.unit.cli.page.test_page import assert_self_contained


def loan(task: str, returned_s: float, took_s: float, reason: str = "why") -> Loan:
    key = FrameworkId("f"), TaskId(task)
    asked_s = returned_s - took_s
    return Loan(key, ExecutorId("e"), Role("batch"), Amount(500, 64), 0.0, asked_s, reason, returned_s)


def test_what_is_lent_now_and_what_came_back_in_the_last_hour() -> None:
    borrowed = [
        {"task": f"<b>{number}", "role": "batch", "cpus": 0.5, "mem_bytes": 0, "since": "s"} for number in range(22)
    ]
    document = {
        "subscribed": True,
        "master": False,
        "offer": {"cpus": 12.0, "mem_bytes": 0},
        "borrowed": {"cpus": 11.0, "mem_bytes": 64 << 20},
        "owners": [{"role": "spark", "reserved": {"cpus": 16.0}, "surplus": {"cpus": 12.0}}],
        "loans": borrowed,
    }
    closed = [loan("old", 1000.0, 0.2), loan("new", 9000.0, 0.25), loan("newest", 9500.0, 0.75)]
    closed.append(loan("rule", 9600.0, 30.0, rules.over_quota("batch")))
    text = node("node7", "now", [], {"classes": [], "pods": []}, boxes=[lending(document, closed, 10_000.0)])
    assert_self_contained(text)
    plain = re.sub(r"<[^>]*>", " ", text)
    for words in (
        "12 +cpus offered",
        "11 +cpus borrowed",
        "3 +loans returned, last hour",
        "1.5 +their cpus",
        "and 2 more",
    ):
        assert re.search(words, plain), (words, plain)
    assert "250 ms / 750 ms" in plain and "no master" in plain and "not subscribed" not in plain
