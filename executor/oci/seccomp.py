"""The executor's own seccomp profile, Kubernetes' RuntimeDefault here. Pure.

Modest by intent: everything is allowed but what reaches out of a container or into the kernel's internals and has a
history of doing harm. Each group of calls comes back with the capability that governs it (capabilities(7)), so that a
pod that was given one can use it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

EPERM = 1
ENOSYS = 38
CLONE_NEWUSER = 0x10000000

_NEVER = """
_sysctl add_key create_module get_kernel_syms io_uring_enter io_uring_register io_uring_setup kexec_file_load kexec_load
keyctl nfsservctl query_module request_key sysfs uselib userfaultfd ustat vm86 vm86old
"""

# What the kernel refuses without the capability anyway is denied as well: the code before its check stays out of reach.
_WITH = {
    "CAP_SYS_ADMIN": """
        bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree
        perf_event_open pivot_root quotactl quotactl_fd setdomainname sethostname setns swapoff swapon umount umount2
        unshare
    """,
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_TIME": "clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday stime",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_NICE": "migrate_pages move_pages",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYSLOG": "syslog",
}

# A call by another of the processor's ABIs would pass by a filter that knows only one.
_ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
}


def profile(capabilities: Collection[str], machine: str) -> dict[str, Any]:
    """`linux.seccomp` of the OCI runtime-spec. `machine` as uname(1) says it; an unknown one gets its own ABI only."""
    denied = _NEVER.split()
    for capability, names in _WITH.items():
        if capability not in capabilities:
            denied += names.split()
    calls: list[dict[str, Any]] = [{"names": sorted(denied), "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM}]
    if "CAP_SYS_ADMIN" not in capabilities:
        # clone3 keeps its flags in memory, where no filter sees them; libc falls back to clone when it is not there
        calls.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS})
        flag = {"index": 0, "value": CLONE_NEWUSER, "valueTwo": CLONE_NEWUSER, "op": "SCMP_CMP_MASKED_EQ"}
        calls.append({"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM, "args": [flag]})
    found: dict[str, Any] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": calls}
    if machine in _ARCHITECTURES:
        found["architectures"] = _ARCHITECTURES[machine]
    return found
