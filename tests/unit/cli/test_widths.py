"""What terminals of 80, 120 and 200 columns get, to the letter: nothing wraps within a table, names stay whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executor.names import MesosContainerId
from executor.node.ended_executors import MesosNames, remember
from tests.support.control_node import Node, container, pod
from tests.support.golden import expected
from tests.unit.cli.on_terminal import on_terminal

GOLDEN = Path(__file__).with_name("golden")
GONE = {
    "state": "TASK_GONE",
    "reason": "REASON_CONTAINER_PREEMPTED",
    "message": "revoked by r-1: spark needs its cores",
}
LINES = {
    "ps": ["ps", "-a"],
    "why": ["why", "shop/api"],
    "describe": ["describe", "shop/api"],
    "inspect": ["inspect", "web"],
}
OWN = {"level": "info", "pod": "pod-97802374dad8", "task": "api", "class": "revocable", "role": "eng/dev"}


def event(seq: int, code: str, message: str, **keys: Any) -> dict[str, Any]:
    time = f"2026-01-31T12:00:{seq:02}.000Z"
    return {"seq": seq, "time": time, "code": code, "message": message, **OWN, **keys}


@pytest.fixture
def used(node: Node, tmp_path: Path) -> Node:
    crashing = [container("main", state="backing-off", exit_code=3, restarts=7, message="exit status 3")]
    executor = node.executor(
        "0c1de16a",
        pod("pod-4229185b8872", "web", tasks=["web-0"]),
        pod("pod-b6697abc128b", "crash-looping-worker", role="eng/dev", containers=crashing, **{"class": "revocable"}),
        pod("pod-bc2d56aad8fa", "hung", state="destroying", stuck_pids=[4711], ips=[]),
    )
    executor.ended = [pod("pod-2a73c4ae7a15", "batch-0", state="ended", outcome=GONE, ended_age_s=190.0, ips=[])]
    sandbox = tmp_path / "sandbox"
    (sandbox / "pods" / OWN["pod"]).mkdir(parents=True)
    (sandbox / "pods" / OWN["pod"] / "app.stdout").write_text("listens on 8080\n")
    (sandbox / "pods" / OWN["pod"] / "app.stderr").write_text("FATAL: no database\n")
    failed = {"outcome": "TASK_FAILED", "reason": None, "error": "container app exited with status 5"}
    events = [
        event(1, "pod.accepted", "pod accepted", name="api", namespace="shop", tasks=["api"]),
        event(2, "pod.setting_up", "pod changed its state", state="setting-up"),
        event(3, "pod.running", "pod changed its state", state="running", ips=["10.89.0.4"]),
        event(4, "pod.container_exited", "a container exited", container="app", exit_code=5),
        event(5, "pod.tearing_down", "pod changed its state", state="tearing-down", **failed),
        event(6, "pod.ended", "pod changed its state", state="ended", **failed),
    ]
    (sandbox / "journal.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in events))
    names = MesosNames("shop", "framework-1", str(sandbox))
    remember(node.run_dir, MesosContainerId("gone"), names, died=False)
    return node


@pytest.mark.parametrize("columns", [80, 120, 200])
@pytest.mark.parametrize("name", LINES)
def test_what_a_terminal_gets(used: Node, tmp_path: Path, name: str, columns: int) -> None:
    line = [*LINES[name], "-f", "name!=api"] if name == "ps" else LINES[name]
    shown = on_terminal(used, columns, *line, TERM="xterm", NO_COLOR="1").replace("\r\n", "\n")
    shown = shown.replace(str(tmp_path), "TMP").replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[2m", "")
    lines = [each.rstrip() for each in shown.splitlines() if not each.startswith(("age  ", "state "))]
    assert all(len(each) <= columns for each in lines if "TMP" not in each)
    text = "".join(f"{each}\n" for each in lines)
    assert text == expected(GOLDEN / f"{name}-{columns}.txt", text)


def test_a_path_that_is_too_long_stays_beside_its_name(used: Node) -> None:
    shown = on_terminal(used, 40, "inspect", "web", TERM="xterm", NO_COLOR="1").replace("\r\n", "\n")
    assert "cgroup      /x/pods/regular/eng/pod-4229185b8872\n" in shown


def test_80_columns_keep_the_class_where_names_are_short(node: Node) -> None:
    outcome = {"state": "TASK_GONE", "reason": "REASON_CONTAINER_PREEMPTED", "message": "x"}
    executor = node.executor("a", pod("pod-4229185b8872", "web-0"))
    executor.ended = [pod("pod-2a73c4ae7a15", "batch-0", state="ended", outcome=outcome, ended_age_s=190.0,
                          **{"class": "revocable"})]  # fmt: skip
    shown = on_terminal(node, 80, "ps", "-a", TERM="dumb")
    assert "revocable  ended 3m ago  1h2m  GONE PREEMPTED" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize(("columns", "name"), [(80, "a-nameless-pod-5 "), (120, "default/a-nameless-pod-5 ")])
def test_80_columns_show_what_tells_pods_apart(node: Node, columns: int, name: str) -> None:
    """The namespace default and the words that all reasons share cost the room of a reason."""
    outcome = {"state": "TASK_FAILED", "reason": "REASON_CONTAINER_LAUNCH_FAILED", "message": "x"}
    executor = node.executor("a", pod("pod-4229185b8872", "b", namespace="shop"))
    executor.ended = [pod("pod-2a73c4ae7a15", "a-nameless-pod-5", state="ended", outcome=outcome, ended_age_s=190.0)]
    for line in (["ps", "-a"], ["ps", "-a", "--sort", "name"]):
        shown = on_terminal(node, columns, *line, TERM="dumb")
        assert name in shown and " shop/b " in shown
        assert ("FAILED LAUNCH_FAILED" if columns == 80 else "TASK_FAILED CONTAINER_LAUNCH") in shown
        assert all(len(each) <= columns for each in shown.splitlines())
