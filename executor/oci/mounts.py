"""What a container finds mounted. Pure.

Source: OCI runtime-spec config-linux.md ("Default Filesystems"), Kubernetes' volumes. The root file system itself is
containerd's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from executor.spec.model import SHM_BYTES, ContainerSpec, PodSpec
from executor.spec.security_model import Security
from executor.spec.volume_model import Propagation, RecursiveReadOnly, VolumeMount

if TYPE_CHECKING:
    from executor.oci.place import Placement

NOTICE = "notice"
"""Directory below the pod's in which the notice of a revocation appears (executor/revocation/notice.py)."""
NOTICE_TARGET = "/run/mesos-pod-executor"
"""Where containers find it."""

_SHM = "/dev/shm"  # noqa: S108 - in the container
_NO_EXECUTION = ["nosuid", "noexec", "nodev"]
_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def termination_name(container: str) -> str:
    """The name of the file in the pod's directory that the container finds at its terminationMessagePath."""
    return f"{container}.termination"


def masked_paths(security: Security) -> list[str]:
    """Files of the kernel's that tell too much about the node."""
    return [] if security.privileged or security.proc_unmasked else list(_MASKED)


def read_only_paths(security: Security) -> list[str]:
    """Files of the kernel's by which a container would change the node."""
    return [] if security.privileged or security.proc_unmasked else list(_READ_ONLY)


def mounts(pod: PodSpec, container: ContainerSpec, placement: Placement) -> list[dict[str, Any]]:
    """In the order in which they are mounted: the kernel's and volumes from the root downwards, the pod's own files."""
    volumes = _node_root(container, placement) + _image_volumes(placement) + _volumes(pod, container, placement)
    taken = {mount["destination"] for mount in volumes}
    kernel = [mount for mount in _kernel(pod, container, placement) if mount["destination"] not in taken]
    files = [mount for mount in _files(container, placement) if mount["destination"] not in taken]
    return (
        sorted(kernel + volumes, key=lambda mount: mount["destination"].split("/"))
        + files
        + _notice(pod, container, placement)
    )


def _kernel(pod: PodSpec, container: ContainerSpec, placement: Placement) -> list[dict[str, Any]]:
    access = "rw" if container.security.privileged else "ro"
    shm = _tmpfs(_SHM, "shm", [*_NO_EXECUTION, "mode=1777", f"size={container.shm_bytes or SHM_BYTES}"])
    if placement.shm is not None:
        shm = {"destination": _SHM, "type": "bind", "source": str(placement.shm), "options": ["bind", *_NO_EXECUTION]}
    if pod.host_ipc:
        shm = {"destination": _SHM, "type": "bind", "source": _SHM, "options": ["rbind", "rw"]}
    pts = [*_NO_EXECUTION[:2], "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": list(_NO_EXECUTION)},
        _tmpfs("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": pts},
        shm,
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": list(_NO_EXECUTION)},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*_NO_EXECUTION, access]},
        {
            "destination": "/sys/fs/cgroup",
            "type": "cgroup",
            "source": "cgroup",
            "options": [*_NO_EXECUTION, "relatime", access],
        },
    ]


def _volumes(pod: PodSpec, container: ContainerSpec, placement: Placement) -> list[dict[str, Any]]:
    """What the executor writes itself is always read only, as in kubelet."""
    fixed = {volume.name for volume in pod.files_volumes}
    return [
        {
            "destination": mount.path,
            "type": "bind",
            "source": str(source),
            "options": _options(mount, placement, read_only=mount.read_only or mount.volume in fixed),
        }
        for mount, source in zip(container.mounts, placement.mount_sources, strict=True)
    ]


def _node_root(container: ContainerSpec, placement: Placement) -> list[dict[str, Any]]:
    """What is mounted and unmounted on the node later is so here, and nothing the other way round."""
    options = ["rbind", "rslave", "ro" if container.security.read_only_root else "rw"]
    found = [
        {"destination": path, "type": "bind", "source": source, "options": options}
        for path, source in placement.node_root
    ]
    return [*found, _tmpfs("/run", "tmpfs", ["nosuid", "nodev", "mode=755"])] if found else []


def _image_volumes(placement: Placement) -> list[dict[str, Any]]:
    options = ["rbind", "rprivate", "rw"]
    return [
        {"destination": path, "type": "bind", "source": source, "options": options}
        for path, source in placement.image_volumes.items()
    ]


_PROPAGATION = {
    Propagation.NONE: "rprivate",
    Propagation.HOST_TO_CONTAINER: "rslave",
    Propagation.BIDIRECTIONAL: "rshared",
}


def _options(mount: VolumeMount, placement: Placement, *, read_only: bool) -> list[str]:
    """`rro` makes mounts below it read only too (mount_setattr(2))."""
    options = ["rbind", _PROPAGATION[mount.propagation], "ro" if read_only else "rw"]
    recursive = mount.recursive_read_only
    if recursive is RecursiveReadOnly.ENABLED or (
        recursive is RecursiveReadOnly.IF_POSSIBLE and placement.can_mount_recursively_read_only
    ):
        options.append("rro")
    return options


def root_propagation(container: ContainerSpec, placement: Placement) -> str | None:
    """What the container's root must let through for its mounts; None: what the runtime does by itself."""
    wanted = {mount.propagation for mount in container.mounts}
    if Propagation.BIDIRECTIONAL in wanted:
        return "rshared"
    return "rslave" if Propagation.HOST_TO_CONTAINER in wanted or placement.node_root else None


def _files(container: ContainerSpec, placement: Placement) -> list[dict[str, Any]]:
    files = {
        "/etc/resolv.conf": placement.resolv_conf,
        "/etc/hosts": placement.hosts,
        "/etc/hostname": placement.hostname_file,
    }
    read_only = container.security.read_only_root
    found = [_bind(target, source, read_only=read_only) for target, source in files.items() if source is not None]
    if container.termination is not None:
        source = placement.pod_dir / termination_name(container.name)
        found.append(_bind(container.termination.path, source, read_only=False))
    return found


def _notice(pod: PodSpec, container: ContainerSpec, placement: Placement) -> list[dict[str, Any]]:
    """None below a volume in which no mount point can be made, or none should (the node's own directories)."""
    closed = {each.name for each in pod.host_paths} | {each.name for each in pod.files_volumes}
    for mount in container.mounts:
        over = mount.path == NOTICE_TARGET or NOTICE_TARGET.startswith(f"{mount.path.rstrip('/')}/")
        if over and (mount.read_only or mount.volume in closed):
            return []
    return [_bind(NOTICE_TARGET, placement.pod_dir / NOTICE, read_only=True)]


def _bind(destination: str, source: Path, *, read_only: bool) -> dict[str, Any]:
    options = ["rbind", "rprivate", "ro" if read_only else "rw"]
    return {"destination": destination, "type": "bind", "source": str(source), "options": options}


def _tmpfs(destination: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": "tmpfs", "source": source, "options": options}
