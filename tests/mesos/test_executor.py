"""The executor under a real Mesos agent: what a scheduler sees of launches, kills, failures of parts, and the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.mesos import messages
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.proxy import Proxy
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import IMAGE, IMAGE_HELLO, NETWORK, OPTIONS, Rig, end_watcher, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def executor_pid(rig: Rig) -> int:
    (owner,) = rig.run_dir.glob("*.owner")
    return int(json.loads(owner.read_text())["pid"])


def run(rig: Rig, scheduler: Scheduler, *tasks: dict[str, Any], executor: dict[str, Any] | None = None) -> str:
    agent = scheduler.launch(list(tasks), executor or rig.executor())
    for task in tasks:
        scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 30)
    return agent


def test_a_pod_is_told_from_starting_to_finished_with_its_address(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([rig.pod("hello", command=("sh", "-c", "echo out; echo err >&2; sleep 1"))], rig.executor())
    running = scheduler.wait_status("hello", "TASK_RUNNING")
    (info,) = running.raw["container_status"]["network_infos"]
    assert info["name"] == NETWORK
    assert info["ip_addresses"][0]["ip_address"].startswith("10.89.")
    (pod,) = rig.pods()
    assert pod["ips"] == [info["ip_addresses"][0]["ip_address"]]
    finished = scheduler.wait_status("hello", "TASK_FINISHED")
    assert scheduler.states("hello") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    assert finished.source == "SOURCE_EXECUTOR" and "exited with status 0" in finished.message
    sandbox = rig.agent.sandbox(scheduler.framework_id, "mixed")
    logs = sandbox / "pods" / pod["pod"]
    assert [(logs / f"app.{stream}").read_text() for stream in ("stdout", "stderr")] == ["out\n", "err\n"]


def test_the_exit_code_of_a_failed_pod_is_told(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([rig.pod("bad", command=("sh", "-c", "exit 3"))], rig.executor())
    assert "exited with status 3" in scheduler.wait_status("bad", "TASK_FAILED").message


def test_a_task_without_a_pod_runs_its_containers_image(rig: Rig, scheduler: Scheduler) -> None:
    """Mesos allows no command beside an executor in a LAUNCH: the image's own command is what runs."""
    image = {"type": "DOCKER", "docker": {"name": IMAGE_HELLO}}
    task = messages.task_info(
        "plain",
        [messages.scalar("cpus", 0.1), messages.scalar("mem", 32)],
        container={"type": "MESOS", "mesos": {"image": image}},
    )
    scheduler.launch([task], rig.executor())
    scheduler.wait_status("plain", "TASK_FINISHED", 30)
    (log,) = rig.agent.sandbox(scheduler.framework_id, "mixed").glob("pods/*/*.stdout")
    assert log.read_text() == "hello from the image\n"


def test_a_task_group_is_one_pod_whose_containers_are_the_tasks(rig: Rig, scheduler: Scheduler) -> None:
    own = [messages.scalar("cpus", 0.1), messages.scalar("mem", 64), messages.scalar("disk", 10)]
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 32)]
    tasks = [
        messages.task_info(
            "first", resources, command=messages.command("echo $GREETING $((40 + 2))", {"GREETING": "hi"})
        ),
        messages.task_info("second", resources, command=messages.command("sleep 2; exit 7")),
    ]
    scheduler.launch(tasks, rig.executor("group", resources=own), group=True)
    scheduler.wait_status("second", "TASK_RUNNING", 30)
    (pod,) = rig.pods()
    assert pod["tasks"] == ["first", "second"] and len(pod["containers"]) == 2
    assert scheduler.wait_status("first", "TASK_FINISHED").at_s < scheduler.wait_status("second", "TASK_FAILED").at_s
    (log,) = rig.agent.sandbox(scheduler.framework_id, "group").glob("pods/*/first*.stdout")
    assert log.read_text() == "hi 42\n"


def test_several_pods_of_both_classes_and_several_containers(rig: Rig, scheduler: Scheduler) -> None:
    two = {
        "containers": [
            {
                "name": "server",
                "image": IMAGE,
                "command": ["sh", "-c", "echo from-pod > /tmp/x; httpd -f -p 8080 -h /tmp"],
            },
            {"name": "client", "image": IMAGE, "command": ["sleep", "1000"]},
        ]
    }
    tasks = [rig.pod("pair", spec=two)]
    tasks += [rig.pod(f"r{n}") for n in range(4)] + [rig.pod(f"b{n}", revocable=True) for n in range(5)]
    run(rig, scheduler, *tasks)
    pods = {pod["name"]: pod for pod in rig.pods()}
    assert len(pods) == 10
    assert {pod["class"] for name, pod in pods.items() if name.startswith("b")} == {"revocable"}
    for pod in pods.values():
        assert f"/pods/{pod['class']}/_/{pod['pod']}" in pod["cgroup"]
        assert rig.processes(pod), "its processes are in its cgroup"
    assert len({pod["ips"][0] for pod in pods.values()}) == 10
    assert len(pods["pair"]["containers"]) == 2


def test_a_kill_is_graceful_and_a_kill_policy_shortens_it(rig: Rig, scheduler: Scheduler) -> None:
    stubborn = ("sh", "-c", "trap '' TERM; sleep 1000 & while :; do wait; done")
    patient = {"terminationGracePeriodSeconds": 600}
    run(rig, scheduler, rig.pod("kind"), rig.pod("stubborn", command=stubborn, spec=patient))
    scheduler.kill("kind")
    killed = scheduler.wait_status("kind", "TASK_KILLED", 10)
    assert "TASK_KILLING" in scheduler.states("kind")
    mark = scheduler.mark()
    scheduler.kill("stubborn", grace_s=1.0)
    killing = scheduler.wait_status("stubborn", "TASK_KILLING", start=mark)
    killed = scheduler.wait_status("stubborn", "TASK_KILLED", 10, start=mark)
    assert 0.9 < killed.at_s - killing.at_s < 4


def test_a_kill_in_the_middle_of_a_launch(rig: Rig, scheduler: Scheduler) -> None:
    tasks = [rig.pod(f"k{n}") for n in range(10)]
    scheduler.launch(tasks, rig.executor())
    scheduler.wait_status("k0", "TASK_STARTING", 30)
    for task in tasks:
        scheduler.kill(task["task_id"]["value"], grace_s=0)
    for task in tasks:
        scheduler.wait_status(task["task_id"]["value"], "TASK_KILLED", 30)
    assert rig.pods() == []


def test_a_task_id_that_lives_is_refused_by_the_master(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("once"))
    (before,) = rig.pods()
    scheduler.launch([rig.pod("once")], rig.executor())
    scheduler.wait(
        lambda: [s for s in scheduler.statuses("once") if s.state == "TASK_ERROR"], 10, lambda: "no TASK_ERROR"
    )
    (after,) = rig.pods()
    assert rig.processes(after) == rig.processes(before)


def test_a_launch_that_comes_twice_is_one_pod(rig: Rig, scheduler: Scheduler) -> None:
    """The agent's own LAUNCH, repeated on its way to the executor."""
    with Proxy(rig.agent.endpoint, b'"type":"LAUNCH"', copies=2) as proxy:
        run(rig, scheduler, rig.pod("once"), executor=proxy.between(rig.executor()))
        assert wait_for(
            lambda: "pod.duplicate" in {line["code"] for line in rig.journal("mixed", scheduler)} or None, 10
        )
        assert len(rig.pods()) == 1
        assert scheduler.states("once") == ["TASK_STARTING", "TASK_RUNNING"]
        scheduler.kill("once")
        scheduler.wait_status("once", "TASK_KILLED", 10)
        assert proxy.passed == 1
        assert not any((leaks := rig.wait_clean()).values()), leaks


def test_the_agent_restarts_and_nothing_is_lost(rig: Rig, scheduler: Scheduler) -> None:
    short = rig.pod("short", command=("sh", "-c", "sleep 2"))
    run(rig, scheduler, rig.pod("long"), short)
    before = {pod["name"]: rig.processes(pod) for pod in rig.pods()}
    rig.agent.restart(down_s=1.5)
    scheduler.wait_status("short", "TASK_FINISHED", 20)
    (pod,) = rig.pods()
    assert rig.processes(pod) == before["long"]
    assert scheduler.states("long") == ["TASK_STARTING", "TASK_RUNNING"]
    run(rig, scheduler, rig.pod("later"))


def test_containerd_restarts_and_pods_live_on(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("stays"), rig.pod("a"), rig.pod("b", command=("sh", "-c", "sleep 3; exit 4")))
    rig.containerd.kill()
    time.sleep(2)
    rig.containerd.start()
    assert "exited with status 4" in scheduler.wait_status("b", "TASK_FAILED", 30).message
    scheduler.kill("a")
    scheduler.wait_status("a", "TASK_KILLED", 30)
    run(rig, scheduler, rig.pod("c"))
    said = Counter(event["code"] for event in rig.journal("mixed", scheduler))
    assert all(said[code] <= 2 for code in ("containerd.unavailable", "containerd.no_events", "containerd.resync")), (
        said
    )


def test_the_agent_is_lost_for_good() -> None:
    """Its executor ends in order: every pod within its grace, everything released, although nobody will hear of it."""
    farewell = ("sh", "-c", "trap 'echo bye; exit 0' TERM; sleep 1000 & wait")
    with Rig(replace(OPTIONS, recovery_timeout_s=1.5)) as rig, rig.scheduler() as scheduler:
        run(rig, scheduler, rig.pod("a", command=farewell), rig.pod("b", revocable=True))
        log = {pod["name"]: Path(pod["containers"][0]["log"]["stdout"]) for pod in rig.pods()}["a"]
        pid = executor_pid(rig)
        rig.agent.kill()
        assert wait_for(lambda: None if alive(pid) else True, 30)
        assert log.read_text() == "bye\n"
        assert {**rig.leaks(), "cgroups": 0} == dict.fromkeys(("containers", "netns", "cgroups", "snapshots", "ips"), 0)
        rig.agent.start()  # whose own the Mesos container's cgroup is
        for name in ("a", "b"):
            scheduler.wait_status(name, TERMINAL, 20)
        assert not any((leaks := rig.wait_clean()).values()), leaks


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_a_launch_while_the_executor_ends_is_dropped_and_can_be_sent_again(rig: Rig, scheduler: Scheduler) -> None:
    stubborn = ("sh", "-c", "trap '' TERM; sleep 1000 & while :; do wait; done")
    run(rig, scheduler, rig.pod("stubborn", command=stubborn, spec={"terminationGracePeriodSeconds": 60}))
    os.kill(executor_pid(rig), signal.SIGTERM)
    scheduler.wait_status("stubborn", "TASK_KILLING", 10)
    scheduler.launch([rig.pod("late")], rig.executor())
    late = scheduler.wait_status("late", TERMINAL, 10)
    assert (late.state, late.reason, late.source) == ("TASK_DROPPED", "REASON_EXECUTOR_TERMINATED", "SOURCE_EXECUTOR")
    assert late.message.startswith("the executor was ending when the launch came (launch it again")
    assert scheduler.wait_status("stubborn", TERMINAL, 10).reason == "REASON_EXECUTOR_TERMINATED"
    scheduler.wait_event("FAILURE")
    start = scheduler.mark()
    scheduler.launch([rig.pod("late")], rig.executor())
    scheduler.wait_status("late", "TASK_RUNNING", 30, start=start)


def test_shutdown_ends_every_pod_and_releases_everything(rig: Rig, scheduler: Scheduler) -> None:
    agent = run(rig, scheduler, rig.pod("a"), rig.pod("b", revocable=True))
    scheduler.shutdown_executor(agent, "mixed")
    for name in ("a", "b"):
        status = scheduler.wait_status(name, TERMINAL, 20)
        assert (status.state, status.source) == ("TASK_KILLED", "SOURCE_EXECUTOR")
    assert not any((leaks := rig.wait_clean()).values()), leaks


def test_an_executor_that_is_killed_takes_its_pods_with_it_and_the_next_one_reaps(
    rig: Rig, scheduler: Scheduler
) -> None:
    run(rig, scheduler, rig.pod("a"), rig.pod("b", revocable=True))
    pids = [pid for pod in rig.pods() for pid, _ in rig.processes(pod)]
    os.kill(executor_pid(rig), signal.SIGKILL)
    for name in ("a", "b"):
        assert scheduler.wait_status(name, TERMINAL, 20).reason == "REASON_EXECUTOR_TERMINATED"
    assert wait_for(lambda: True if not any(psutil.pid_exists(pid) for pid in pids) else None, 10)
    run(rig, scheduler, rig.pod("c"), executor=rig.executor("second"))
    scheduler.kill("c")
    scheduler.wait_status("c", "TASK_KILLED", 20)


def test_with_the_posix_launcher_the_next_executor_ends_what_a_dead_one_left_running() -> None:
    with Rig(replace(OPTIONS, launcher="posix")) as rig, rig.scheduler() as scheduler:
        run(rig, scheduler, rig.pod("orphan"))
        (pod,) = rig.pods()
        assert pod["cgroup"].startswith(rig.cgroup)
        pids = [pid for pid, _ in rig.processes(pod)]
        end_watcher(executor_pid(rig))
        os.kill(executor_pid(rig), signal.SIGKILL)
        scheduler.wait_status("orphan", TERMINAL, 20)
        assert all(psutil.pid_exists(pid) for pid in pids), "nobody has ended them yet"
        agent = run(rig, scheduler, rig.pod("next"), executor=rig.executor("second"))
        assert wait_for(lambda: True if not any(psutil.pid_exists(pid) for pid in pids) else None, 15)
        scheduler.shutdown_executor(agent, "second")
        scheduler.wait_status("next", TERMINAL, 20)
        assert not any((leaks := rig.wait_clean()).values()), leaks
