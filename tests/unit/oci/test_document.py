"""The OCI document as a function of pod, container, image and placement. That runc takes it: tests/integration/pod."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.images.model import ImageConfig
from executor.oci.document import runtime_spec
from executor.oci.mounts import NOTICE_TARGET
from executor.oci.place import Device, Placement
from executor.oci.users import UserIds
from executor.spec.launch import parse_launch
from executor.spec.model import TERMINATION_PATH, ContainerSpec, Limits, PodSpec
from executor.spec.security_model import Security, SeLinux
from tests.unit.pod.samples import FULL_POD, full_task, pod, task

IMAGE = ImageConfig(env=(("PATH", "/bin"),), entrypoint=("/app",), working_dir="/srv")
PLACEMENT = Placement(
    cgroups_path="/x/pods/regular/_/pod-1/app",
    pod_dir=Path("/sandbox/pods/pod-1"),
    hostname="web",
    user=UserIds(5, 6),
)


def document(spec: PodSpec, at: int = 0, **placed: Any) -> dict[str, Any]:
    sources = tuple(Path("/sources", mount.volume) for mount in spec.containers[at].mounts)
    return runtime_spec(spec, spec.containers[at], IMAGE, replace(PLACEMENT, mount_sources=sources, **placed))


def minimal(**container: Any) -> PodSpec:
    return parse_launch([task(pod(container))], group=False)


def with_container(**fields: Any) -> PodSpec:
    spec = minimal()
    changed: ContainerSpec = replace(spec.containers[0], **fields)
    return replace(spec, containers=(changed,))


def test_a_minimal_container() -> None:
    found = document(minimal())
    process, linux = found["process"], found["linux"]
    assert (process["args"], process["cwd"], process["user"]) == (
        ["/app"],
        "/srv",
        {"uid": 5, "gid": 6, "additionalGids": [6]},
    )
    assert process["env"] == ["PATH=/bin", "HOSTNAME=web"]
    assert {"rlimits", "oomScoreAdj"}.isdisjoint(process)
    assert (found["hostname"], found["root"], process["noNewPrivileges"]) == (
        "web",
        {"path": "rootfs", "readonly": False},
        False,
    )
    assert {"inheritable", "ambient"}.isdisjoint(process["capabilities"])
    assert linux["cgroupsPath"] == PLACEMENT.cgroups_path
    assert set(linux["resources"]) == {"devices"}
    assert linux["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert linux["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert [space["type"] for space in linux["namespaces"]] == ["pid", "mount", "cgroup", "ipc", "uts"]
    assert all("path" not in space for space in linux["namespaces"])


def test_the_full_pods_documents_can_be_written() -> None:
    spec = parse_launch([full_task(FULL_POD)], group=False)
    for at in range(3):
        found = document(spec, at, downward={"status.podIP": "10.0.0.7"})
        assert json.loads(json.dumps(found)) == found
    assert "MEM=16" in document(spec, 1, downward={"status.podIP": "10.0.0.7"})["process"]["env"]


def test_the_network_is_joined_and_all_else_is_the_containers_own() -> None:
    found = document(minimal(), netns_path=Path("/n/net"))
    paths = {space["type"]: space.get("path") for space in found["linux"]["namespaces"]}
    assert paths == {"pid": None, "mount": None, "cgroup": None, "ipc": None, "uts": None, "network": "/n/net"}


def test_what_the_node_gives() -> None:
    found = document(minimal(), oom_score_adj=1000, nofile=(1024, 4096))
    assert found["process"]["oomScoreAdj"] == 1000
    assert found["process"]["rlimits"] == [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096}]


LIMITS: list[tuple[Limits, Limits, dict[str, Any]]] = [
    (
        Limits(0.5, 2**26),
        Limits(0.25),
        {"cpu": {"shares": 256, "quota": 50_000, "period": 100_000}, "memory": {"limit": 2**26}},
    ),
    (Limits(0.001), Limits(), {"cpu": {"shares": 2, "quota": 1000, "period": 100_000}}),
    (Limits(), Limits(2), {"cpu": {"shares": 2048}}),
    (Limits(), Limits(None, 2**26), {}),
]


@pytest.mark.parametrize(("limits", "requests", "found"), LIMITS)
def test_limits(limits: Limits, requests: Limits, found: dict[str, Any]) -> None:
    resources = document(with_container(limits=limits, requests=requests))["linux"]["resources"]
    del resources["devices"]
    assert resources == found


def test_huge_pages_are_limited_where_the_node_can() -> None:
    sizes = (2 << 20, 1 << 30)
    asking = document(with_container(huge_pages={2 << 20: 4 << 20}), huge_page_sizes=sizes)
    expected = [{"pageSize": "2MB", "limit": 4 << 20}, {"pageSize": "1GB", "limit": 0}]
    assert asking["linux"]["resources"]["hugepageLimits"] == expected
    of_mesos = document(with_container(huge_pages=None), huge_page_sizes=sizes)
    for found in (of_mesos, document(with_container(huge_pages={2 << 20: 4 << 20}))):
        assert "hugepageLimits" not in found["linux"]["resources"]


def test_disks_are_limited_and_a_container_dies_as_a_whole_where_the_node_says_so() -> None:
    limits = {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]}
    resources = document(minimal(), block_io=limits, unified={"memory.oom.group": "1"})["linux"]["resources"]
    assert (resources["blockIO"], resources["unified"]) == (limits, {"memory.oom.group": "1"})
    assert not {"blockIO", "unified"} & document(minimal())["linux"]["resources"].keys()


def test_a_container_without_a_request_weighs_least_beside_one_with() -> None:
    spec = minimal()
    asking = replace(spec.containers[0], name="b", requests=Limits(cpus=1))
    both = replace(spec, containers=(spec.containers[0], asking))
    assert [document(both, at)["linux"]["resources"]["cpu"]["shares"] for at in (0, 1)] == [2, 1024]


def test_security() -> None:
    security = Security(run_as_group=7, supplemental_groups=(9, 8), read_only_root=True, no_new_privileges=True)
    found = document(
        with_container(security=replace(security, add_capabilities=("CAP_KILL",), drop_capabilities=("CAP_ALL",)))
    )
    assert found["process"]["user"] == {"uid": 5, "gid": 7, "additionalGids": [7, 8, 9]}
    assert found["process"]["capabilities"]["bounding"] == ["CAP_KILL"]
    assert (found["root"]["readonly"], found["process"]["noNewPrivileges"]) == (True, True)


@pytest.mark.parametrize(
    ("security", "filtered"),
    [
        (Security(), True),
        (Security(seccomp="RuntimeDefault"), True),
        (Security(seccomp="Unconfined"), False),
        (Security(privileged=True), False),
    ],
)
def test_who_gets_the_seccomp_profile(security: Security, filtered: bool) -> None:
    found = document(with_container(security=security))
    assert ("seccomp" in found["linux"]) is filtered


def mounts_of(spec: PodSpec, **placed: Any) -> dict[str, dict[str, Any]]:
    return {mount["destination"]: mount for mount in document(spec, **placed)["mounts"]}


def test_the_kernels_file_systems() -> None:
    found = mounts_of(minimal())
    assert set(found) == {
        "/proc",
        "/dev",
        "/dev/pts",
        "/dev/shm",
        "/dev/mqueue",
        "/sys",
        "/sys/fs/cgroup",
        TERMINATION_PATH,
        NOTICE_TARGET,
    }
    assert all("ro" in found[path]["options"] for path in ("/sys", "/sys/fs/cgroup"))


def test_volumes_go_from_the_root_downwards_and_the_pods_files_last() -> None:
    paths = ["/etc", "/dev/shm", "/srv/a/b", "/srv", "/etc/hosts"]
    container = {"volumeMounts": [{"name": "v", "mountPath": path, "readOnly": path == "/srv"} for path in paths]}
    spec = parse_launch([task(pod(container, volumes=[{"name": "v", "emptyDir": {}}]))], group=False)
    files: dict[str, Any] = {
        "resolv_conf": Path("/p/resolv.conf"),
        "hosts": Path("/p/hosts"),
        "hostname_file": Path("/p/hostname"),
    }
    listed = document(spec, **files)["mounts"]
    order = [mount["destination"] for mount in listed]
    assert len(order) == len(set(order))
    assert all(
        order.index(parent) < order.index(child)
        for parent in order
        for child in order
        if child.startswith(f"{parent}/")
    )
    assert order[-4:] == ["/etc/resolv.conf", "/etc/hostname", TERMINATION_PATH, NOTICE_TARGET]
    found = {mount["destination"]: mount for mount in listed}
    assert found["/etc/hosts"]["source"] == found["/srv"]["source"] == "/sources/v"
    assert found["/srv"]["options"] == ["rbind", "rprivate", "ro"]
    assert found["/srv/a/b"]["options"] == ["rbind", "rprivate", "rw"]


def test_the_termination_message_has_a_file_of_the_pod_unless_a_volume_is_there() -> None:
    found = mounts_of(parse_launch([task(pod({"terminationMessagePath": "/tmp/end"}))], group=False))
    assert found["/tmp/end"]["source"].endswith("/app.termination") and "rw" in found["/tmp/end"]["options"]
    mount = {"name": "v", "mountPath": "/tmp/end"}
    own = pod({"terminationMessagePath": "/tmp/end", "volumeMounts": [mount]}, volumes=[{"name": "v", "emptyDir": {}}])
    assert mounts_of(parse_launch([task(own)], group=False))["/tmp/end"]["source"] == "/sources/v"


@pytest.mark.parametrize(
    ("source", "path", "read_only", "mounted"),
    [
        ("emptyDir", "/run", False, True),
        ("emptyDir", "/run", True, False),
        ("hostPath", "/run", False, False),
        ("hostPath", "/run/other", True, True),
        ("hostPath", NOTICE_TARGET, False, False),
    ],
)
def test_the_notice_is_mounted_unless_a_volume_leaves_no_place_for_it(
    source: str, path: str, *, read_only: bool, mounted: bool
) -> None:
    volume = {"name": "v", source: {"path": "/run"} if source == "hostPath" else {}}
    container = {"volumeMounts": [{"name": "v", "mountPath": path, "readOnly": read_only}]}
    spec = parse_launch([task(pod(container, volumes=[volume]))], group=False)
    own = [mount for mount in document(spec)["mounts"] if mount["source"] == "/sandbox/pods/pod-1/notice"]
    assert [mount["options"] for mount in own] == [["rbind", "rprivate", "ro"]] * mounted


def test_a_privileged_container_sees_all_of_the_kernel() -> None:
    spec = with_container(security=Security(privileged=True, add_capabilities=("CAP_ALL",)))
    found = document(spec, devices=(Device("/dev/kmsg", "c", 1, 11, 0o644, 0, 0),))
    linux = found["linux"]
    assert (linux["maskedPaths"], linux["readonlyPaths"]) == ([], [])
    assert linux["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    (device,) = linux["devices"]
    assert (device["path"], device["major"], device["minor"], device["fileMode"]) == ("/dev/kmsg", 1, 11, 0o644)
    (sys,) = [mount for mount in found["mounts"] if mount["destination"] == "/sys"]
    assert "rw" in sys["options"] and "CAP_SYS_ADMIN" in found["process"]["capabilities"]["effective"]
    plain = document(minimal())["linux"]
    assert plain["devices"] == [] and plain["maskedPaths"] and plain["readonlyPaths"]
    unmasked = document(with_container(security=Security(proc_unmasked=True)))["linux"]
    assert unmasked["maskedPaths"] == [] and len(unmasked["resources"]["devices"]) > 1


def test_a_network_of_its_own_has_open_ports_and_ping() -> None:
    assert "sysctl" not in document(minimal(), netns_path=Path("/n/net"))["linux"]
    found = document(minimal(), netns_path=Path("/n/net"), owns_network=True)["linux"]["sysctl"]
    assert found == {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}


def test_namespaces_and_memory_that_the_pod_shares() -> None:
    pids, ipc, shm_path = Path("/proc/7/ns/pid"), Path("/run/p/ipc"), Path("/run/p/shm")
    found = document(minimal(), pidns_path=pids, ipcns_path=ipc, shm=shm_path)
    paths = {each["type"]: each.get("path") for each in found["linux"]["namespaces"]}
    assert (paths["pid"], paths["ipc"], paths["mount"]) == ("/proc/7/ns/pid", "/run/p/ipc", None)
    (shm,) = [mount for mount in found["mounts"] if mount["destination"] == "/dev/shm"]
    assert (shm["type"], shm["source"]) == ("bind", "/run/p/shm")


def test_a_pod_in_the_nodes_namespaces() -> None:
    spec = replace(minimal(), host_pid=True, host_ipc=True)
    found = document(spec)
    assert {each["type"] for each in found["linux"]["namespaces"]} == {"mount", "cgroup", "uts"}
    (shm,) = [mount for mount in found["mounts"] if mount["destination"] == "/dev/shm"]
    assert (shm["type"], shm["source"]) == ("bind", "/dev/shm")


def test_sysctls_and_selinux() -> None:
    spec = replace(with_container(security=Security(selinux=SeLinux("u", "r", "t"))), sysctls=(("kernel.x", "1"),))
    assert document(spec)["linux"]["sysctl"] == {"kernel.x": "1"}
    assert document(spec, has_selinux=True)["process"]["selinuxLabel"] == "u:r:t:s0"
    assert "selinuxLabel" not in document(spec)["process"]


def test_every_capability_is_every_one_of_the_node() -> None:
    security = Security(add_capabilities=("CAP_ALL", "CAP_BPF"))
    held = document(with_container(security=security), bounding=frozenset({"CAP_CHOWN", "CAP_KILL"}))
    assert held["process"]["capabilities"]["bounding"] == ["CAP_CHOWN", "CAP_KILL", "CAP_BPF"]


def test_a_terminal_has_a_type() -> None:
    process = document(minimal(tty=True, stdin=True))["process"]
    assert (process["terminal"], process["env"][0]) == (True, "TERM=xterm")
    own = document(minimal(tty=True, env=[{"name": "TERM", "value": "vt100"}]))["process"]["env"]
    assert [each for each in own if each.startswith("TERM=")] == ["TERM=vt100"]
    with pytest.raises(InvalidTask, match="nothing can be written to it"):
        minimal(stdin=True)
