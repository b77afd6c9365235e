"""Regular pods before and after: a lost first process is a change, unless the pod had a reason of its own."""

from __future__ import annotations

from executor.names import PodId
from executor.revocation.comparison import PodProcesses, Process, compare

WEB, DB = PodId("pod-1"), PodId("pod-2")
HEAD, CHILD, OTHER = Process(10, 1), Process(11, 2), Process(20, 1)
BEFORE = {
    WEB: PodProcesses(WEB, frozenset({HEAD}), frozenset({CHILD})),
    DB: PodProcesses(DB, frozenset({OTHER}), frozenset()),
}


def after(*processes: Process) -> dict[PodId, PodProcesses]:
    alive = frozenset(processes)
    return {pod: PodProcesses(pod, old.first & alive, old.others & alive) for pod, old in BEFORE.items()}


def test_nothing_happened() -> None:
    found = compare(BEFORE, after(HEAD, CHILD, OTHER))
    assert found.unchanged and (found.pods, found.processes, found.ended) == (2, 3, ())


def test_a_lost_first_process_is_a_change_and_another_one_is_named() -> None:
    assert compare(BEFORE, after(HEAD, OTHER)).ended == (11,)
    found = compare(BEFORE, after(CHILD, OTHER))
    assert not found.unchanged and found.changed == ("pod-1 lost 10",)


def test_the_same_pid_with_another_start_is_another_process() -> None:
    again = {**after(OTHER), WEB: PodProcesses(WEB, frozenset({Process(10, 9)}), frozenset({CHILD}))}
    assert compare(BEFORE, again).changed == ("pod-1 lost 10",)


def test_what_ended_for_its_own_reason_is_no_change_but_named() -> None:
    found = compare(BEFORE, after(OTHER), excused={HEAD.pid})
    assert found.unchanged and found.ended == (10, 11)
    assert compare(BEFORE, after(), excused={HEAD.pid}).changed == ("pod-2 lost 20",)
    second = Process(12, 1)
    both = {WEB: PodProcesses(WEB, frozenset({HEAD, second}), frozenset())}
    assert compare(both, {}, excused={HEAD.pid}).changed == ("pod-1 lost 12",), "its sibling's reason is not its own"


def test_a_pod_that_vanished_is_changed() -> None:
    assert compare(BEFORE, {DB: BEFORE[DB]}).changed == ("pod-1 lost 10",)
