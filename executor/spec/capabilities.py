"""Linux capabilities: their names, and which of them a container's processes may have. Pure.

Source: capabilities(7), and the default set that container engines share, without which images that start as root and
step down to a user of their own do not work.
"""

from __future__ import annotations

from collections.abc import Sequence

from executor.errors import InvalidTask

ALL = "CAP_ALL"

# In the kernel's order (include/uapi/linux/capability.h).
_NAMES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
_DEFAULT_NAMES = """
CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE
SETFCAP
"""
EVERY = tuple(f"CAP_{name}" for name in _NAMES.split())
DEFAULT = frozenset(f"CAP_{name}" for name in _DEFAULT_NAMES.split())


def named(names: Sequence[str], subject: str) -> tuple[str, ...]:
    """Kubernetes' names (`NET_ADMIN`, `ALL`, any case) as the kernel's. Raises InvalidTask."""
    found = []
    for index, name in enumerate(names):
        full = f"CAP_{name.upper().removeprefix('CAP_')}"
        if full != ALL and full not in EVERY:
            raise InvalidTask(
                f"{name[:80]!r} is no capability",
                subject=f"{subject}[{index}]",
                hint="see capabilities(7), without CAP_",
            )
        found.append(full)
    return tuple(found)


def of_mask(mask: int) -> frozenset[str]:
    """The names of the bits of a line of /proc/PID/status, such as CapBnd."""
    return frozenset(name for bit, name in enumerate(EVERY) if mask >> bit & 1)


def granted(add: Sequence[str], drop: Sequence[str]) -> tuple[str, ...]:
    """The default ones with what is added and dropped, in the kernel's order; dropping ALL spares what is added."""
    held = set(DEFAULT)
    if ALL in add:
        held = set(EVERY)
    if ALL in drop:
        held = set()
    held = (held | (set(add) - {ALL})) - (set(drop) - {ALL})
    return tuple(capability for capability in EVERY if capability in held)
