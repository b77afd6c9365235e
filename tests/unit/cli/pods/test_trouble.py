"""What is wrong with pods, in the order of urgency."""

from __future__ import annotations

from executor.cli.pods import trouble
from tests.support.control_node import container, pod

PULL = {"error": "denied", "bytes": 0, "total_bytes": 0, "phase": "x", "image": "a"}


def crashing(restarts: int) -> list[dict[str, object]]:
    return [container("main", state="backing-off", exit_code=3, restarts=restarts)]


def test_a_network_that_is_cut_is_trouble_until_the_pod_ends() -> None:
    (found,) = trouble.of([pod("pod-1", "web", network_faults=["eth0 is down"], healthy=False), pod("pod-2", "db")])
    assert (found.kind, found.pod) == ("network", "pod-1") and "eth0 is down" in found.text
    killed = {"state": "TASK_KILLED", "reason": None, "message": "m"}
    assert trouble.of([pod("pod-1", "web", state="stopping", outcome=killed, network_faults=["eth0 is down"])]) == []


def test_the_worst_comes_first_and_what_is_well_is_left_out() -> None:
    found = trouble.of(
        [
            pod("pod-1", "well"),
            pod("pod-2", "sick", healthy=False),
            pod("pod-3", "young", containers=crashing(1)),
            pod("pod-4", "loops", containers=crashing(9)),
            pod("pod-5", "pulls", state="pulling", pulling=[PULL]),
            pod("pod-6", "hangs", state="destroying", stuck_pids=[7]),
        ]
    )
    assert [(each.kind, each.pod) for each in found] == [
        ("stuck", "pod-6"),
        ("crash_loops", "pod-4"),
        ("images", "pod-5"),
        ("unready", "pod-2"),
    ]
    assert found[1].text == "pod default/loops was restarted 9 times: main: exit code 3"
    assert all("mesos-pod-executor why pod-" in each.hint for each in found)
