"""`events`: chosen by time, pod, level and code, from executors on real sockets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from executor.cli.exits import Exit
from tests.support.control_node import Node
from tests.unit.cli.conftest import Run


@pytest.fixture
def journal(node: Node) -> Node:
    executor = node.executor("aaa")
    names = {"name": "web", "namespace": "shop", "tasks": ["t"]}
    for event in (
        {"code": "executor.started"},
        {"code": "pod.accepted", "pod": "pod-1", "task": "t", **names},
        {"code": "pod.accepted", "pod": "pod-2", "task": "u", "name": "other", "namespace": "shop"},
        {"code": "pod.log_dropped", "pod": "pod-1", "level": "warning"},
        {"code": "revocation.started", "revocation": "r-1"},
    ):
        executor.journal.append({"level": "info", "message": "x", **event})
    return node


def codes(run: Run, *line: str) -> list[str]:
    ran = run("events", *line)
    assert ran.code == Exit.OK, ran.err
    return [each.split()[3] for each in ran.out.splitlines()]


@pytest.mark.usefixtures("journal")
def test_choices(run: Run) -> None:
    everything = codes(run)
    assert len(everything) == 5
    assert codes(run, "--since", "10m") == everything == codes(run, "--since", "1h", "--until", "2999-01-01")
    assert codes(run, "--until", "1h") == []
    assert codes(run, "--since", "3") == everything[3:]
    assert codes(run, "--code", "executor,revocation") == ["executor.started", "revocation.started"]
    assert codes(run, "--code", "pod.accepted", "--code", "revocation") == ["pod.accepted"] * 2 + ["revocation.started"]
    for name in ("web", "shop/web", "t", "pod-1"):
        assert codes(run, "--pod", name) == ["pod.accepted", "pod.log_dropped"], name
    assert codes(run, "--pod", "web", "--level", "warning", "--since", "1m") == ["pod.log_dropped"]
    assert run("events", "--pod", "nobody").code == Exit.NOT_FOUND


@pytest.mark.usefixtures("journal")
def test_times_without_a_zone_are_utc(run: Run) -> None:
    hour = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    assert len(codes(run, "--since", hour)) == 5 and codes(run, "--until", hour) == []


@pytest.mark.parametrize("line", [["--since", "soon"], ["--until", "5"], ["--code", "pod,revocaton"]])
def test_what_cannot_be_read(run: Run, line: list[str]) -> None:
    ran = run("events", *line)
    assert ran.code == Exit.USAGE and ran.err.count("\n") == 1
