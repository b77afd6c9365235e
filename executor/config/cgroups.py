"""The configuration section [cgroups]. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from executor.config.key import key


@dataclass(frozen=True)
class CgroupsSection:
    """Where pods live in the cgroup tree."""

    root: str = key(
        "",
        "Parent of executor/ and pods/, as /proc/self/cgroup names groups; empty: this executor's Mesos container, or"
        " one of its own.",
        group=True,
    )
    guard_weight: bool = key(
        default=True,
        doc="Restore the container's CPU weight when an agent with --revocable_cpu_low_priority lowers it.",
    )
    regular_cpus: str = key("", "CPUs that regular pods run on, such as 0-3,8; empty: all.", cpus=True)
    revocable_cpus: str = key("", "CPUs that revocable pods run on; empty: all.", cpus=True)
    revocable_io_max: tuple[str, ...] = key(
        (),
        "The most that revocable pods read from a disk and write to it in a second, bytes and requests:"
        " '/dev/sda rbps=100Mi wbps=50Mi riops=1000 wiops=1000', or a path on the disk. With cgroup v1 it is that of"
        " each container, and for direct writes only; with v2 that of all of them together.",
        io_max=True,
    )
