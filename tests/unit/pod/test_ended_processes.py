"""The first processes that a pod remembers after their end, for the proof of a revocation."""

from __future__ import annotations

from executor.pod.life.events import ContainerExited, ContainerStarted, Oom, RestartDue
from executor.spec.model import RestartPolicy
from tests.unit.pod.lives import play, running, spec


def test_first_processes_that_ended_by_themselves_are_remembered() -> None:
    always = running(spec("a", "b", policy=RestartPolicy.ALWAYS))
    again = (RestartDue("a"), ContainerStarted("a", 2, 7), ContainerExited("a", 2, 0))
    pod, _ = play(always, ContainerExited("a", 1, 1), *again)
    assert pod.ended_pids == (100, 7)
    assert not play(always, ContainerExited("a", 1, 137))[0].ended_pids, "an unexplained SIGKILL"
    assert play(always, ContainerExited("b", 1, 137, Oom("pod")))[0].ended_pids == (101,), "the kernel, for memory"


def test_a_pid_that_the_kernel_uses_again_is_not_taken_for_the_process_that_ended() -> None:
    """A revocation's proof would excuse the loss of the new one."""
    pod, _ = play(running(spec(policy=RestartPolicy.ALWAYS)), ContainerExited("app", 1, 1), RestartDue("app"))
    assert pod.ended_pids == (100,)
    assert play(pod, ContainerStarted("app", 2, 100))[0].ended_pids == ()


def test_a_pod_that_restarts_without_end_remembers_its_last_processes_only() -> None:
    pod = running(spec("a", "b", policy=RestartPolicy.ALWAYS))
    for run in range(1, 50):
        pod, _ = play(pod, ContainerExited("a", run, 1), RestartDue("a"), ContainerStarted("a", run + 1, 1000 + run))
    assert pod.ended_pids == (1045, 1046, 1047, 1048)
