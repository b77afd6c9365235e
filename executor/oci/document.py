"""The OCI document of one container: runtime-spec 1.0.2, as runc 1.1 reads it. Pure.

What the pod decided (PodSpec), what the image says, and where the node puts it (Placement) become one document, and
nothing else does: the same three give the same document. Limits here are the container's own; the pod's stand in the
pod's cgroup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from executor.oci import mounts, seccomp, users
from executor.spec import capabilities, command
from executor.spec.model import ContainerSpec, PodSpec
from executor.spec.security_model import Security

if TYPE_CHECKING:
    from executor.images.model import ImageConfig
    from executor.oci.place import Placement

VERSION = "1.0.2-dev"
CPU_PERIOD_USEC = 100_000
_LEAST_QUOTA_USEC = 1_000  # the kernel's (Documentation/scheduler/sched-bwc.rst)
_LEAST_SHARES = 2
_UNITS = {1 << 30: "GB", 1 << 20: "MB", 1 << 10: "KB"}

_OPEN_NETWORK = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
"""In a network of its own a pod harms no other with port 80 or a ping: neither needs a capability, as with containerd 2
and Docker.
"""

# Character devices that any program may expect: null, zero, full, random, urandom, tty, ptmx, pts/*. Not 5:1, which
# other engines allow: it is the node's console, on which people type. A container's own /dev/console is one of pts/*.
_DEVICES: tuple[tuple[int, int | None], ...] = (
    (1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, None),
)  # fmt: skip


def runtime_spec(pod: PodSpec, container: ContainerSpec, image: ImageConfig, placement: Placement) -> dict[str, Any]:
    """The document, ready for json.dumps.

    Raises ImageFailure (nothing to run) and InvalidTask (runAsNonRoot with a root
    image, a downward API field without a value).
    """
    return {
        "ociVersion": VERSION,
        "process": _process(container, image, placement),
        "root": {"path": "rootfs", "readonly": container.security.read_only_root},
        "mounts": mounts.mounts(pod, container, placement),
        "linux": _linux(pod, container, placement),
        "hostname": placement.hostname,
    }


def _process(container: ContainerSpec, image: ImageConfig, placement: Placement) -> dict[str, Any]:
    security = container.security
    own = command.own_variables(container, placement.downward)
    ids = users.effective(security, placement.user, subject=f"container {container.name}")
    held = _held(security, placement)
    args, env = command.argv(container, image, own), command.environment(own, image, placement.hostname)
    command.check_process(args, env, f"container {container.name}")
    process: dict[str, Any] = {
        "user": {"uid": ids.uid, "gid": ids.gid, "additionalGids": list(ids.groups)},
        "args": args,
        "env": env,
        "cwd": container.working_dir or image.working_dir or container.default_dir,
        # none is inheritable or ambient: a user other than root holds none after execve (capabilities(7))
        "capabilities": {"bounding": held, "effective": held, "permitted": held},
        "noNewPrivileges": security.no_new_privileges,
    }
    if rlimits := _rlimits(container, placement):
        process["rlimits"] = rlimits
    if container.tty:
        term = [] if any(each.startswith("TERM=") for each in env) else ["TERM=xterm"]
        process |= {"terminal": True, "env": [*term, *env]}
    if security.selinux is not None and placement.has_selinux:
        process["selinuxLabel"] = security.selinux.label
    if placement.app_armor:
        process["apparmorProfile"] = placement.app_armor
    if placement.oom_score_adj is not None:
        process["oomScoreAdj"] = placement.oom_score_adj
    return process


def _rlimits(container: ContainerSpec, placement: Placement) -> list[dict[str, Any]]:
    nofile = () if placement.nofile is None else (("RLIMIT_NOFILE", *placement.nofile),)
    found = {name: (soft, hard) for name, soft, hard in (*nofile, *container.rlimits)}
    return [{"type": name, "soft": soft, "hard": hard} for name, (soft, hard) in found.items()]


def _held(security: Security, placement: Placement) -> list[str]:
    """A capability that is asked for by name must be had; of all of them, those that there are."""
    held = capabilities.granted(security.add_capabilities, security.drop_capabilities)
    every = capabilities.ALL in security.add_capabilities
    return [name for name in held if not every or name in placement.bounding or name in security.add_capabilities]


def _linux(pod: PodSpec, container: ContainerSpec, placement: Placement) -> dict[str, Any]:
    security = container.security
    linux: dict[str, Any] = {
        "cgroupsPath": placement.cgroups_path,
        "namespaces": _namespaces(pod, placement),
        "resources": _resources(pod, container, placement),
        "devices": [device.document() for device in placement.devices],
        "maskedPaths": mounts.masked_paths(security),
        "readonlyPaths": mounts.read_only_paths(security),
    }
    if sysctls := {**(_OPEN_NETWORK if placement.owns_network else {}), **dict(pod.sysctls)}:
        linux["sysctl"] = sysctls
    if (propagation := mounts.root_propagation(container, placement)) is not None:
        linux["rootfsPropagation"] = propagation
    if not (security.privileged or security.seccomp == "Unconfined"):
        held = capabilities.granted(security.add_capabilities, security.drop_capabilities)
        linux["seccomp"] = placement.seccomp or seccomp.profile(held, placement.machine)
    return linux


def _namespaces(pod: PodSpec, placement: Placement) -> list[dict[str, str]]:
    shared = {"pid"} if pod.host_pid else set()
    shared |= {"ipc"} if pod.host_ipc else set()
    found = [{"type": kind} for kind in ("pid", "mount", "cgroup", "ipc", "uts") if kind not in shared]
    joined = {"pid": placement.pidns_path, "ipc": placement.ipcns_path}
    found = [each | {"path": str(path)} if (path := joined.get(each["type"])) is not None else each for each in found]
    if placement.netns_path is not None:
        found.append({"type": "network", "path": str(placement.netns_path)})
    return found


def _resources(pod: PodSpec, container: ContainerSpec, placement: Placement) -> dict[str, Any]:
    every = [{"allow": True, "access": "rwm"}]
    found: dict[str, Any] = {"devices": every if container.security.privileged else _devices(placement)}
    if amounts := cpu(pod, container):
        found["cpu"] = amounts
    if container.limits.memory_bytes is not None:
        found["memory"] = {"limit": container.limits.memory_bytes}
    if placement.unified:
        found["unified"] = dict(placement.unified)
    if placement.block_io:
        found["blockIO"] = dict(placement.block_io)
    if container.huge_pages is not None and placement.huge_page_sizes:
        found["hugepageLimits"] = [
            {"pageSize": _page_size(size), "limit": container.huge_pages.get(size, 0)}
            for size in placement.huge_page_sizes
        ]
    return found


def _page_size(size_bytes: int) -> str:
    """As the kernel names files of the hugetlb controller."""
    return next(f"{size_bytes // unit}{name}" for unit, name in _UNITS.items() if size_bytes >= unit)


def cpu(pod: PodSpec, container: ContainerSpec) -> dict[str, int]:
    """What runc is to set of the cpu controller. Shares weigh a container against its siblings only: where none asks
    for any, all keep the kernel's default.
    """
    found: dict[str, int] = {}
    if any(_asked_cpus(sibling) is not None for sibling in pod.containers):
        found["shares"] = max(_LEAST_SHARES, int((_asked_cpus(container) or 0) * 1024))
    if container.limits.cpus is not None:
        found["quota"] = max(_LEAST_QUOTA_USEC, int(container.limits.cpus * CPU_PERIOD_USEC))
        found["period"] = CPU_PERIOD_USEC
    return found


def _asked_cpus(container: ContainerSpec) -> float | None:
    """A request that is missing equals the limit, as in Kubernetes."""
    return container.limits.cpus if container.requests.cpus is None else container.requests.cpus


def _devices(placement: Placement) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    for major, minor in _DEVICES:
        rule: dict[str, Any] = {"allow": True, "type": "c", "major": major, "access": "rwm"}
        rules.append(rule if minor is None else rule | {"minor": minor})
    return rules + [each.rule() for each in placement.granted_devices]
