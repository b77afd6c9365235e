"""Kernel features that do not depend on a cgroup, and this process's privileges.

Source: capabilities(7), pidfd_open(2), openat2(2), Documentation/accounting/psi.rst, overlayfs in /proc/filesystems.
"""

from __future__ import annotations

from pathlib import Path

from cgroups import openat2
from cgroups.held import POLL_S
from cgroups.processes import pidfds_work
from executor.doctor.finding import Finding, failed, passed, warned

_CAP_SYS_ADMIN = 21
_CAP_SYS_RESOURCE = 24
_PROC = Path("/proc")


def check() -> list[Finding]:
    """PSI, overlayfs, pidfd, openat2 and capabilities. Raises OSError if /proc cannot be read."""
    return [
        _pressure(_PROC / "pressure"),
        _overlay((_PROC / "filesystems").read_text()),
        *_system_calls(),
        *privileges(),
    ]


def _pressure(directory: Path) -> Finding:
    try:
        (directory / "memory").read_text()
    except OSError:
        return warned(
            "kernel.psi",
            "no pressure stall information: `top` shows none, and [pressure] cannot revoke by it",
            "boot with psi=1 (CONFIG_PSI)",
        )
    return passed("kernel.psi", "pressure stall information is on")


def _overlay(filesystems: str) -> Finding:
    if "overlay" in filesystems.split():
        return passed("kernel.overlayfs", "overlayfs is there")
    return failed("kernel.overlayfs", "overlayfs is not registered: no snapshot can be mounted", "modprobe overlay")


def _system_calls() -> list[Finding]:
    return [judge_pidfd(works=pidfds_work()), judge_openat2(works=openat2.works())]


def judge_pidfd(*, works: bool) -> Finding:
    """Pure."""
    if works:
        return passed("kernel.pidfd", "pidfd_open works")
    return warned(
        "kernel.pidfd",
        "no pidfd_open: processes are held by their directories in /proc, and looked at every "
        f"{POLL_S * 1e3:.0f} ms; each run of a CNI plugin takes a thread; the death of another executor may be noticed "
        "by the next one or by gc only",
        "Linux 5.3 or later, and no seccomp filter that forbids pidfd_open",
    )


def judge_openat2(*, works: bool) -> Finding:
    """Pure."""
    if works:
        return passed("kernel.openat2", "openat2 works")
    return warned(
        "kernel.openat2",
        "no openat2: paths of cgroups and of images are opened name by name, which is slower",
        "Linux 5.6 or later, and no seccomp filter that forbids openat2",
    )


def privileges() -> list[Finding]:
    """From the effective capabilities of this process; the executor's are the agent's."""
    return judge_capabilities(_effective((_PROC / "self/status").read_text(errors="replace")))


def judge_capabilities(effective: int) -> list[Finding]:
    """Pure."""
    has_admin, has_resource = (bool(effective >> bit & 1) for bit in (_CAP_SYS_ADMIN, _CAP_SYS_RESOURCE))
    admin = passed("kernel.cap_sys_admin", "CAP_SYS_ADMIN is held")
    if not has_admin:
        hint = "run doctor, and the agent's executors, as root"
        admin = failed("kernel.cap_sys_admin", "no CAP_SYS_ADMIN: neither mounts nor network namespaces", hint)
    resource = passed("kernel.cap_sys_resource", "CAP_SYS_RESOURCE is held")
    if not has_resource:
        resource = warned(
            "kernel.cap_sys_resource",
            "no CAP_SYS_RESOURCE: regular pods cannot be given an oom_score_adj below the executor's own; when the "
            "node runs out of memory the kernel still takes revocable pods first",
            "give the agent CAP_SYS_RESOURCE",
        )
    return [admin, resource]


def _effective(status: str) -> int:
    line = next((line for line in status.splitlines() if line.startswith("CapEff:")), "CapEff: 0")
    return int(line.split()[1], 16)
