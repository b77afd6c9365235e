"""What a pod gets of the kernel on a real node: sysctls of its own, and all of it where the operator allows that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos import messages
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import IMAGE, OPTIONS, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

FACTS = """
grep CapEff /proc/self/status
cat /proc/1/comm
grep Seccomp: /proc/self/status
ls /dev/kmsg 2>/dev/null || echo none
grep -c . /proc/timer_list
grep ' /sys sysfs' /proc/mounts | cut -c1-14
ls -L /proc/self/ns/ipc >/dev/null && readlink /proc/self/ns/ipc
echo end
"""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    directory = tmp_path_factory.mktemp("seccomp")
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
    (directory / "no-mkdir.json").write_text(json.dumps(profile))
    options = replace(OPTIONS, resources=f"{OPTIONS.resources};hugepages-2Mi:64")
    with Rig(options, config={"POLICY_DEFAULT": "privileged", "PODS_SECCOMP_DIR": str(directory)}) as node:
        yield node


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="host") as framework:
        framework.launch([rig.pod("keeper")], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


def printed(rig: Rig, scheduler: Scheduler, name: str, script: str, **pod: Any) -> list[str]:
    scheduler.launch([rig.pod(name, command=("sh", "-c", script), **pod)], rig.executor())
    scheduler.wait_status(name, "TASK_FINISHED", 60)
    return Path(rig.json("inspect", name)["containers"][0]["log"]["stdout"]).read_text().splitlines()


def test_a_privileged_pod_in_the_nodes_namespaces(rig: Rig, scheduler: Scheduler) -> None:
    privileged = {"securityContext": {"privileged": True}}
    found = printed(rig, scheduler, "host", FACTS, container=privileged, spec={"hostPID": True, "hostIPC": True})
    plain = printed(rig, scheduler, "plain", FACTS)
    assert int(found[0].split()[1], 16) & 1 << 21, "CAP_SYS_ADMIN"
    assert not int(plain[0].split()[1], 16) & 1 << 21
    assert (found[1] != plain[1], plain[1]) == (True, "sh")
    assert found[2].split()[1] == "0"
    assert (found[3], plain[3]) == ("/dev/kmsg", "none")
    assert (found[4] != "0", plain[4]) == (True, "0")
    assert (found[5], plain[5]) == ("sysfs /sys sys", "sysfs /sys sys")
    assert found[6] == str(Path("/proc/self/ns/ipc").readlink()) != plain[6]


def test_sysctls_are_the_pods_own(rig: Rig, scheduler: Scheduler) -> None:
    sysctls = [
        {"name": "kernel.shm_rmid_forced", "value": "1"},
        {"name": "net/ipv4/ip_unprivileged_port_start", "value": "80"},
    ]
    script = "cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_unprivileged_port_start"
    before = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()
    assert printed(rig, scheduler, "sysctls", script, spec={"securityContext": {"sysctls": sysctls}}) == ["1", "80"]
    assert Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text() == before


def test_a_user_may_listen_on_port_80_and_ping(rig: Rig, scheduler: Scheduler) -> None:
    script = "echo up | nc -l -p 80 & sleep 0.3; nc 127.0.0.1 80 </dev/null; cat /proc/sys/net/ipv4/ping_group_range"
    context = {"runAsUser": 101, "capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": False}
    found = printed(rig, scheduler, "user", script, container={"securityContext": context})
    assert found == ["up", "0\t2147483647"]


HUGE = {"limits": {"hugepages-2Mi": "4Mi", "memory": "16Mi"}}


@pytest.mark.parametrize("medium", ["HugePages", "HugePages-2Mi"])
def test_huge_pages_as_a_volume(rig: Rig, scheduler: Scheduler, medium: str) -> None:
    """They are counted against the task's resource of that name. This node has no pages in use, so none is written."""
    script = "grep ' /huge ' /proc/mounts | cut -d' ' -f3,4; stat -c %a /huge"
    volumes = [{"name": "huge", "emptyDir": {"medium": medium}}]
    container = {"resources": HUGE, "volumeMounts": [{"name": "huge", "mountPath": "/huge"}]}
    task = rig.pod(
        medium.lower(), command=("sh", "-c", f"{script}; echo end"), spec={"volumes": volumes}, container=container
    )
    task["resources"].append(messages.scalar("hugepages-2Mi", 4))
    scheduler.launch([task], rig.executor())
    scheduler.wait_status(medium.lower(), "TASK_FINISHED", 30)
    kind, mode, _ = rig.command("logs", medium.lower()).stdout.splitlines()
    assert (kind.split()[0], "pagesize=2M" in kind, mode) == ("hugetlbfs", True, "777")


def test_huge_pages_that_the_task_does_not_have(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([rig.pod("poor", container={"resources": HUGE})], rig.executor())
    status = scheduler.wait_status("poor", "TASK_FAILED", 30)
    assert status.reason == "REASON_TASK_INVALID"
    assert "ask for 4 MiB of hugepages-2Mi together, and the task's resources have 0" in status.message


def test_a_seccomp_profile_of_the_operator(rig: Rig, scheduler: Scheduler) -> None:
    script = "mkdir /tmp/a 2>&1 | grep -o 'not permitted'; rmdir /tmp/none 2>&1 | grep -o 'No such file'"
    profile = {"type": "Localhost", "localhostProfile": "no-mkdir.json"}
    found = printed(rig, scheduler, "audited", script, container={"securityContext": {"seccompProfile": profile}})
    assert found == ["not permitted", "No such file"]


@pytest.mark.parametrize(
    ("name", "context", "words"),
    [
        (
            "unknown-file",
            {"seccompProfile": {"type": "Localhost", "localhostProfile": "x.json"}},
            "seccomp profile x.json",
        ),
        ("unknown-name", {"appArmorProfile": {"type": "Localhost", "localhostProfile": "x"}}, "AppArmor profile x"),
    ],
)
def test_a_profile_that_the_node_lacks(
    rig: Rig, scheduler: Scheduler, name: str, context: dict[str, Any], words: str
) -> None:
    scheduler.launch([rig.pod(name, container={"securityContext": context})], rig.executor())
    status = scheduler.wait_status(name, "TASK_FAILED", 30)
    assert (status.reason, words in status.message) == ("REASON_CONTAINER_LAUNCH_FAILED", True), status.message


def test_fields_without_effect_are_one_event(rig: Rig, scheduler: Scheduler) -> None:
    spec = {"serviceAccountName": "web", "tolerations": [{"operator": "Exists"}], "nodeSelector": {"a": "b"}}
    printed(rig, scheduler, "told", "true", spec=spec)
    events = [each for each in rig.journal("mixed", scheduler) if each["code"] == "pod.without_effect"]
    assert [each["fields"] for each in events] == [["spec.nodeSelector", "spec.serviceAccountName", "spec.tolerations"]]


def test_a_terminal_has_nobody_at_it(rig: Rig, scheduler: Scheduler) -> None:
    """And so the program that reads from it waits, until it is killed."""
    script = "test -t 0 && test -t 1 && echo $TERM >&2; read -t 1 line || echo nothing"
    found = printed(rig, scheduler, "terminal", script, container={"tty": True, "stdin": True})
    assert found == ["xterm", "nothing"]


SEES = r"""
sleepers() {
    for each in /proc/[0-9]*; do
        test "$(tr '\0' ' ' <$each/cmdline 2>/dev/null)" = "sleep $1 " && echo ${each#/proc/}
    done
}
wait_for() { until found=$(sleepers $1); test "$found"; do sleep 0.1; done; echo $found | wc -w; }
cat /proc/1/comm
wait_for 7777
kill $found
wait_for 8888
cat /proc/1/comm
kill $found
"""


def test_containers_share_their_processes_and_no_end_of_one_ends_another(rig: Rig, scheduler: Scheduler) -> None:
    """After an init container: one is signalled by the other, ends, and is started again in the same namespace."""
    first = {"name": "first", "image": IMAGE, "command": ["sh", "-c", "test $$ != 1"]}
    worker = "test -e /tmp/v/again && exec sleep 8888; touch /tmp/v/again; exec sleep 7777"
    mounts = [{"name": "v", "mountPath": "/tmp/v"}]
    containers = [
        {"name": "looks", "image": IMAGE, "command": ["sh", "-c", SEES]},
        {"name": "works", "image": IMAGE, "command": ["sh", "-c", worker], "volumeMounts": mounts},
    ]
    spec = {
        "shareProcessNamespace": True,
        "restartPolicy": "OnFailure",
        "initContainers": [first],
        "containers": containers,
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    scheduler.launch([rig.pod("shared", spec=spec, mem=64)], rig.executor())
    scheduler.wait_status("shared", "TASK_RUNNING", 60)
    found = wait_for(lambda: rows if len(rows := logged(rig, "shared", "looks")) == 4 else None, 60)
    assert found == ["pod-pids", "1", "1", "pod-pids"]
    restarts = {each["name"]: each["restarts"] for each in rig.json("inspect", "shared")["containers"]}
    assert restarts["looks"] == 0 and restarts["works"] >= 1
    scheduler.kill("shared")
    scheduler.wait_status("shared", "TASK_KILLED", 30)


def logged(rig: Rig, name: str, container: str) -> list[str]:
    containers = {each["name"]: each for each in rig.json("inspect", name)["containers"]}
    path = Path(containers[container]["log"]["stdout"])
    return path.read_text().splitlines() if path.exists() else []


def test_containers_of_a_pod_share_memory(rig: Rig, scheduler: Scheduler) -> None:
    """Also with an init container, and over a restart: /dev/shm and the IPC objects are the pod's."""
    first = {"name": "first", "image": IMAGE, "command": ["sh", "-c", "echo by first >/dev/shm/found"]}
    script = "cat /dev/shm/found; readlink /proc/self/ns/ipc; df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2"
    restarted = f"test -e /dev/shm/again || {{ touch /dev/shm/again; exit 1; }}; {script}"
    containers = [
        {"name": name, "image": IMAGE, "command": ["sh", "-c", text], "securityContext": {"runAsUser": 1000}}
        for name, text in (("one", script), ("two", restarted))
    ]
    spec = {"restartPolicy": "OnFailure", "initContainers": [first], "containers": containers}
    scheduler.launch([rig.pod("memory", spec=spec, mem=64)], rig.executor())
    scheduler.wait_status("memory", "TASK_FINISHED", 60)
    found = logged(rig, "memory", "one")
    assert found == logged(rig, "memory", "two")
    assert found[0] == "by first" and found[2] == "65536"
    assert found[1] != str(Path("/proc/self/ns/ipc").readlink())
