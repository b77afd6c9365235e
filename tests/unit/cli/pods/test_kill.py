"""`kill`: signals as kill(1) has them."""

from __future__ import annotations

import pytest

from executor.cli.exits import Exit
from executor.cli.pods import kill
from tests.support.control_node import Node, pod
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(
    ("words", "spelt"),
    [
        (["-9", "web"], ["--signal=9", "web"]),
        (["web", "-HUP"], ["web", "--signal=HUP"]),
        (["-SIGRTMIN+3", "web"], ["--signal=SIGRTMIN+3", "web"]),
        (["web", "--reason", "-9"], ["web", "--reason", "-9"]),
        (["web", "-t5s", "-capp"], ["web", "-t5s", "-capp"]),
    ],
)
def test_signals_as_kill_takes_them(words: list[str], spelt: list[str]) -> None:
    assert kill.spelt_out(words) == spelt


@pytest.mark.parametrize("line", [["kill", "-99", "web"], ["kill", "-NONE", "web"]])
def test_a_signal_that_is_none(node: Node, run: Run, line: list[str]) -> None:
    node.executor("a", pod("pod-1", "web"))
    ran = run(*line)
    assert ran.code == Exit.USAGE and "HUP, SIGUSR1 or 9" in ran.err
