"""What the allow-lists of a role add to its level, and the directories that no list opens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from executor.config.role_policy import Level, RolePolicy
from executor.errors import FaultyTask, Forbidden
from executor.policy.violation import Violation
from executor.policy.violations import NodeFacts, admit, violations
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec
from executor.spec.volume_model import HostPath, RecursiveReadOnly
from tests.unit.pod.samples import Document, pod, scalar, task, with_image

NODE = NodeFacts(
    default_network="podnet",
    shares_network=False,
    protected=("/run/mesos-pod-executor", "/var/lib/containerd"),
)
ANNOTATION = "mesos-pod-executor/networks"


def parsed(document: Document, **fields: Any) -> PodSpec:
    return parse_launch([task(document, **fields)], group=False)


def found(document: Document, node: NodeFacts = NODE, **policy: Any) -> list[str]:
    return [each.control for each in violations(parsed(document), RolePolicy.of(policy), node)]


def shows(path: str, kind: str = "", *, read_only: bool = False) -> Document:
    """A pod with a hostPath volume."""
    mount = {"name": "v", "mountPath": "/v", "readOnly": read_only}
    return pod({"volumeMounts": [mount]}, volumes=[{"name": "v", "hostPath": {"path": path, "type": kind}}])


def joins(**entry: Any) -> Document:
    annotations = {ANNOTATION: json.dumps([entry])}
    return {**pod(), "metadata": {"name": "web", "annotations": annotations}}


@pytest.mark.parametrize(
    ("path", "allowed", "passes"),
    [
        ("/srv/data", "/srv/data", True),
        ("/srv/data/a/b", "/srv/data", True),
        ("/srv/data/", "/srv/data", True),
        ("/srv/database", "/srv/data", False),
        ("/srv", "/srv/data", False),
        ("/other", "/srv/data", False),
    ],
)
def test_a_directory_and_all_below_it(path: str, allowed: str, *, passes: bool) -> None:
    assert found(shows(path), host_paths=[allowed]) == ([] if passes else ["HostPath Volumes"])
    assert found(shows(path), level="privileged") == []


def test_a_directory_that_may_be_read() -> None:
    lists: Any = {"host_paths": ["/srv:ro", "/srv/data"]}
    assert found(shows("/srv/other"), **lists) == ["HostPath Volumes"]
    assert found(shows("/srv/other", read_only=True), **lists) == []
    assert found(shows("/srv/other", "DirectoryOrCreate", read_only=True), **lists) == ["HostPath Volumes"]
    assert found(shows("/srv/data/x", "DirectoryOrCreate"), **lists) == [], "the closest directory counts"


def test_what_is_above_a_directory_that_may_be_read() -> None:
    lists: Any = {"host_paths": ["/srv", "/srv/library:ro"]}
    assert found(shows("/srv"), **lists) == ["HostPath Volumes"], "the pod could write in the library, or move it"
    assert found(shows("/srv", "DirectoryOrCreate", read_only=True), **lists) == ["HostPath Volumes"]
    assert found(shows("/srv/lib"), **lists) == []
    admitted = admit(parsed(shows("/srv", read_only=True)), RolePolicy.of(lists), NODE)
    assert admitted.host_paths[0].beneath == "/srv"
    assert admitted.containers[0].mounts[0].recursive_read_only is RecursiveReadOnly.ENABLED


def test_what_is_admitted_knows_its_limit() -> None:
    policy = RolePolicy.of({"host_paths": ["/srv:ro", "/srv/data"]})
    for path, beneath, recursive in (
        ("/srv/other", "/srv", RecursiveReadOnly.ENABLED),
        ("/srv/data/a", "/srv/data", RecursiveReadOnly.DISABLED),
    ):
        admitted = admit(parsed(shows(path, read_only=True)), policy, NODE)
        assert [(each.path, each.beneath) for each in admitted.host_paths] == [(path, beneath)]
        assert admitted.containers[0].mounts[0].recursive_read_only is recursive
        assert set(admitted.host_paths[0].closed) == {*NODE.protected, "/proc", "/sys", "/dev"}
    (wide,) = admit(parsed(shows("/srv/other")), RolePolicy(Level.PRIVILEGED), NODE).host_paths
    assert (wide.beneath, wide.closed) == ("", NODE.protected)
    (device,) = admit(
        parsed(shows("/dev/fuse", "CharDevice")), RolePolicy.of({"devices": ["/dev/fuse"]}), NODE
    ).host_paths
    assert (device.beneath, "/dev" in device.closed) == ("/dev/fuse", False)


@pytest.mark.parametrize(
    "path",
    ["/run/mesos-pod-executor", "/run/mesos-pod-executor/x.sock", "/var/lib/containerd/io.containerd.content.v1"],
)
@pytest.mark.parametrize("level", Level)
def test_directories_that_no_pod_is_shown(path: str, level: Level) -> None:
    lists: Any = {} if level is Level.PRIVILEGED else {"host_paths": ["/run", "/var"]}
    assert "protected directories" in found(shows(path), level=level.value, **lists)


@pytest.mark.parametrize("path", ["/run", "/var/lib"])
def test_nor_what_is_above_them(path: str) -> None:
    assert found(shows(path), host_paths=["/run", "/var"]) == ["protected directories"]
    assert found(shows(path), level="privileged") == []


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/1/root", "/sys/fs/cgroup", "/dev", "/dev/sda"])
def test_directories_of_the_kernel(path: str) -> None:
    assert "HostPath Volumes" in found(shows(path), host_paths=["/srv"])
    assert found(shows(path), level="privileged") == []


def test_a_device() -> None:
    assert found(shows("/dev/fuse", "CharDevice"), devices=["/dev/fuse"]) == []
    assert "HostPath Volumes" in found(shows("/dev/kmsg", "CharDevice"), devices=["/dev/fuse"])


def test_host_ports() -> None:
    declared = pod({"ports": [{"containerPort": 80, "hostPort": 31000}]})
    assert found(declared) == []
    (violation,) = violations(parsed(declared), RolePolicy.of({"host_ports": False}), NODE)
    assert (violation.control, violation.path) == ("Host Ports", "spec.containers[0].ports[0].hostPort")
    infos = [{"name": "podnet", "port_mappings": [{"host_port": 31001, "container_port": 80}]}]
    mapped = parsed(pod(), container={"type": "MESOS", "network_infos": infos})
    (violation,) = violations(mapped, RolePolicy.of({"host_ports": False}), NODE)
    assert (violation.control, violation.path) == ("Host Ports", "TaskInfo.container.network_infos")


def test_capabilities() -> None:
    asks = pod({"securityContext": {"capabilities": {"add": ["NET_ADMIN", "SYS_PTRACE"]}}})
    assert found(asks, capabilities=["NET_ADMIN", "SYS_PTRACE"]) == []
    (violation,) = violations(parsed(asks), RolePolicy.of({"capabilities": ["NET_ADMIN"]}), NODE)
    assert violation.message == "asks for SYS_PTRACE"


def test_the_nodes_network() -> None:
    assert found(pod(hostNetwork=True)) == ["Host Namespaces"]
    assert found(pod(hostNetwork=True), host_network=True) == []


def test_a_pod_without_a_network_does_not_share_the_nodes_without_a_word() -> None:
    bare = NodeFacts()
    assert found(pod(), bare) == ["Host Namespaces"]
    assert found(pod(), bare, host_network=True) == []
    assert found(pod(), bare, level="privileged") == []
    assert found(joins(name="podnet"), bare) == []
    assert found(pod(), NodeFacts(shares_network=False)) == [], "the executor's own CNI network"


@pytest.mark.parametrize("infos", [[{}], [{"name": ""}], [{}, {}], [{"ip_addresses": [{"protocol": "IPv4"}]}]])
def test_a_network_without_a_name_is_none(infos: list[dict[str, Any]]) -> None:
    """It stands for the default, and where there is none the pod would share the node's."""
    spec = parsed(pod(), container={"type": "MESOS", "network_infos": infos})
    assert [each.control for each in violations(spec, RolePolicy(), NodeFacts())] == ["Host Namespaces"]
    assert violations(spec, RolePolicy(), NODE) == ()


def test_sysctls() -> None:
    def asks(name: str) -> Document:
        return pod(securityContext={"sysctls": [{"name": name, "value": "1"}]})

    assert found(asks("net.ipv4.tcp_rmem")) == ["Sysctls"]
    assert found(asks("net.ipv4.tcp_rmem"), sysctls=["net.ipv4.tcp_rmem"]) == []
    assert found(asks("net.ipv4.tcp_wmem"), sysctls=["net.ipv4.*"]) == []
    assert found(asks("net.ipv4.tcp_wmem"), sysctls=["net.core.*"]) == ["Sysctls"]


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("shares_network", [True, False])
def test_sysctls_of_a_network_that_the_pod_shares(level: Level, *, shares_network: bool) -> None:
    """With the node, or with an executor that is on networks of its own."""
    asked = [{"name": "net.ipv4.ip_local_port_range", "value": "1024 1025"}]
    shared = NodeFacts(default_network="", shares_network=shares_network)
    document = pod(securityContext={"sysctls": asked})
    lists: Any = {} if level is Level.PRIVILEGED else {"host_network": True}
    policy = RolePolicy.of({"level": level.value, **lists})
    assert "Sysctls" in found(document, shared, level=level.value, **lists)
    assert "Sysctls" not in found(document, NODE, level=level.value, **lists)
    named = {**document, "metadata": joins(name="podnet")["metadata"]}
    assert "Sysctls" not in [each.control for each in violations(parsed(named), policy, shared)]
    of_ipc = pod(securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]})
    assert "Sysctls" not in found(of_ipc, shared, level=level.value, **lists)


def test_networks() -> None:
    assert found(joins(name="storage")) == []
    assert found(joins(name="storage"), networks=["podnet"]) == ["networks"]
    assert found(joins(name="storage"), level="privileged", networks=["podnet"]) == ["networks"]
    assert found(joins(name="storage"), networks=["storage"]) == []
    assert found(pod(), networks=["storage"]) == ["networks"], "the default network"
    assert found(pod(), networks=["podnet"]) == []
    (violation,) = violations(parsed(joins(name="storage")), RolePolicy.of({"networks": []}), NODE)
    assert violation.path == f"metadata.annotations['{ANNOTATION}']"


@pytest.mark.parametrize("entry", [{"ips": ["10.0.0.7"]}, {"mac": "02:00:00:00:00:01"}])
def test_static_addresses(entry: dict[str, Any]) -> None:
    document = joins(name="podnet", **entry)
    assert found(document) == ["static_addresses"]
    assert found(document, static_addresses=True) == []
    assert found(document, level="privileged") == []


def tasks(**container: Any) -> PodSpec:
    """A pod that a Mesos task describes."""
    described = {
        **task(),
        "command": {"value": "true"},
        "container": {"type": "DOCKER", "docker": {"image": "x", "network": "BRIDGE"}, **container},
    }
    return parse_launch([described], group=False)


def test_a_task_of_mesos_is_judged_as_well() -> None:
    assert violations(tasks(), RolePolicy(), NODE) == ()
    volumes = [{"container_path": "/x", "mode": "RW", "host_path": "/etc"}]
    on_node = tasks(docker={"image": "x", "network": "HOST"}, volumes=volumes)
    assert [(each.control, each.path) for each in violations(on_node, RolePolicy(), NODE)] == [
        ("Host Namespaces", "TaskInfo.container.docker.network"),
        ("HostPath Volumes", "TaskInfo.container.volumes[0]"),
    ]


@pytest.mark.parametrize(
    ("kind", "soft", "hard", "passes"),
    [
        ("RTPRIO", 1, 1, False),
        ("RTPRIO", 0, 99, False),
        ("RTPRIO", None, None, False),
        ("RTPRIO", 0, 0, True),
        ("NICE", 21, 40, False),
        ("NICE", 20, 20, True),
        ("NOFILE", 4096, 4096, True),
        ("MEMLOCK", None, None, True),
    ],
)
def test_limits_that_give_what_a_capability_governs(
    kind: str, soft: int | None, hard: int | None, *, passes: bool
) -> None:
    limit = {"type": f"RLMT_{kind}", **({} if soft is None else {"soft": soft, "hard": hard})}
    asked = tasks(rlimit_info={"rlimits": [limit]})
    path = "TaskInfo.container.rlimit_info.rlimits"
    wanted = [] if passes else [("Capabilities", path)]
    assert [(each.control, each.path) for each in violations(asked, RolePolicy(), NODE)] == wanted
    for allowed in ("privileged", {"capabilities": ["SYS_NICE"]}):
        assert violations(asked, RolePolicy.of(allowed), NODE) == ()


def test_a_task_of_mesos_is_never_restricted() -> None:
    faults = violations(tasks(), RolePolicy(Level.RESTRICTED), NODE)
    assert faults and all("TaskInfo.data" in each.hint for each in faults)


def test_the_error_has_every_violation() -> None:
    with pytest.raises(FaultyTask) as caught:
        admit(parsed(pod(hostPID=True, hostIPC=True)), RolePolicy(), NODE)
    assert [fault.subject for fault in caught.value.faults] == ["spec.hostPID", "spec.hostIPC"]
    assert caught.value.mesos_reason == "REASON_TASK_UNAUTHORIZED"
    with pytest.raises(Forbidden, match="share the node's processes") as single:
        admit(parsed(pod(hostPID=True)), RolePolicy(), NODE)
    assert "[Host Namespaces]" in str(single.value) and "[policy] roles" in single.value.hint


def test_a_violation_names_what_where_and_the_hint() -> None:
    violation = Violation("spec.hostPID", "Host Namespaces", "is true", "leave it out")
    assert str(violation.fault) == "spec.hostPID: is true [Host Namespaces] (leave it out)"


def test_a_volume_keeps_its_place_in_the_description() -> None:
    (volume,) = parsed(shows("/srv")).host_paths
    assert (volume, volume.field) == (HostPath("v", "/srv", makes_missing=True), "spec.volumes[0].hostPath.path")


def test_a_uri_of_the_node_is_a_directory_that_the_role_may_use() -> None:
    resources = [scalar("cpus", 0.1), scalar("mem", 32)]
    command = {"value": "ls", "uris": [{"value": "file:///srv/app.tar"}]}
    group = [task(task_id="a", resources=resources, command=command, container=with_image())]
    pod_spec = parse_launch(group, group=True)
    (violation,) = violations(pod_spec, RolePolicy(), NODE)
    assert (violation.control, violation.path) == ("HostPath Volumes", "tasks[0].command.uris[0].value")
    allowed = RolePolicy.of({"host_paths": ["/srv:ro"]})
    assert violations(pod_spec, allowed, NODE) == ()
    assert admit(pod_spec, allowed, NODE).host_paths[0].beneath == "/srv"
