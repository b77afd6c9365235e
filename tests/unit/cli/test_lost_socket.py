"""Executors that live and have no control socket: it was removed, or they start or end just now."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from executor.cli.executors import look
from executor.cli.exits import Exit
from tests.support.control_node import Node, pod
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_dead_executor import hold, sandbox

__all__ = ["sandbox"]


def test_one_whose_socket_was_removed_is_not_overlooked(
    node: Node, run: Run, sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "ANSWER_S", 0.3)
    process = hold(node.run_dir, "lost", sandbox)
    alone = run("ps")
    node.executor("live", pod("pod-1", "web"))
    ran = run("ps", "--json")
    process.communicate("")
    what = f"executor lost: lives, but {node.run_dir}/lost.sock is not there"
    assert alone.code == Exit.UNREACHABLE and what in alone.err
    assert len(ran.json["pods"]) == 1 and f"left out: {what}" in ran.err


def test_one_that_starts_is_waited_for(node: Node, run: Run, sandbox: Path) -> None:
    starts = hold(node.run_dir, "starts", sandbox)
    later = threading.Timer(0.5, lambda: node.executor("starts", pod("pod-1", "web")))
    later.start()
    ran = run("ps", "--json")
    later.join()
    starts.communicate("")
    assert [each["pod"] for each in ran.json["pods"]] == ["pod-1"]


def test_one_that_ends_is_waited_for(node: Node, run: Run, sandbox: Path) -> None:
    ends = hold(node.run_dir, "ends", sandbox)
    later = threading.Timer(0.5, ends.communicate, ("",))
    later.start()
    ran = run("ps")
    later.join()
    assert ran.code == Exit.OK and "no executor runs on this node" in ran.err
