"""The keeper of a PID namespace: a program of its own, which is started as the first process of that namespace.

It leaves everything of the node behind (files, networks, other namespaces, capabilities), then becomes a program of
some hundred bytes that sleeps: what a container may do with process 1 of its namespace leads nowhere. SIGCHLD stays
ignored, so that the kernel reaps each orphan that becomes its child. A container cannot trace it or read its memory:
its file cannot be read (ptrace(2), "dumpable").

    pid_keeper.py FD    closes the pipe FD at the moment of exec; what it writes there before is why it failed

Source: pid_namespaces(7), pivot_root(2), elf(5).
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys

NAME = "pod-pids"
UNPRIVILEGED = 65534
_CLONE_NEWNS, _CLONE_NEWCGROUP, _CLONE_NEWUTS = 0x00020000, 0x02000000, 0x04000000
_CLONE_NEWIPC, _CLONE_NEWNET = 0x08000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 2, 4, 16384, 1 << 18
_MNT_DETACH = 2
_PR_SET_NO_NEW_PRIVS = 38
_BASE = 0x400000
_HEADERS_BYTES = 120

# machine: e_machine, the number of pivot_root, and a loop that sleeps in pause(), or in ppoll(0, 0, 0, 0, 0)
MACHINES = {
    "x86_64": (62, 155, bytes.fromhex("b822000000 0f05 ebf7")),
    "aarch64": (183, 41, bytes.fromhex("000080d2 010080d2 020080d2 030080d2 040080d2 280980d2 010000d4 f9ffff17")),
}


def program(machine: str) -> bytes:
    """A static executable without data. Raises KeyError for a machine that is not in MACHINES."""
    number, _, code = MACHINES[machine]
    size = _HEADERS_BYTES + len(code)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01", 2, number, 1, _BASE + _HEADERS_BYTES, 64, 0, 0, 64, 56, 1, 0, 0, 0),
    )
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000) + code


def _call(libc: ctypes.CDLL, name: str, *arguments: object) -> None:
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def main(pipe: int) -> None:
    """Does not return, unless it raises OSError or KeyError."""
    os.set_inheritable(pipe, False)  # noqa: FBT003
    libc = ctypes.CDLL(None, use_errno=True)
    code, pivot_root = program(platform.machine()), MACHINES[platform.machine()][1]
    _call(libc, "unshare", _CLONE_NEWNS | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS | _CLONE_NEWCGROUP)
    _call(libc, "mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    _call(libc, "mount", b"none", b"/proc", b"tmpfs", _MS_NOSUID | _MS_NODEV, b"size=64k,mode=0755")
    os.chdir("/proc")
    with open(NAME, "wb", opener=lambda path, flags: os.open(path, flags, 0o111)) as file:
        file.write(code)
    _call(libc, "syscall", pivot_root, b".", b".")
    _call(libc, "umount2", b".", _MNT_DETACH)
    os.chdir("/")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.setgroups([])
    os.setresgid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED)
    os.setresuid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED)
    _call(libc, "prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.closerange(0, pipe)
    os.closerange(pipe + 1, 256)
    os.execve(f"/{NAME}", [NAME], {})  # noqa: S606


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except (OSError, KeyError) as error:
        os.write(int(sys.argv[1]), str(error).encode())
        os._exit(1)
