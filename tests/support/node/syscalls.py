"""System calls that Python 3.11's os module does not have (unshare(2), mount(2), prctl(2), netdevice(7))."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 0x1000, 0x2000, 0x4000, 0x40000
_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, *, flags: int = 0, data: str = "") -> None:
    """`data` are the file system's own options."""
    strings = [os.fsencode(text) if text else None for text in (source, target, kind)]
    _check(_libc.mount(*strings, ctypes.c_ulong(flags), os.fsencode(data) if data else None), target)


def detach(target: str) -> None:
    """Unmount it and what is mounted in it. In other mount namespaces they stay, if they are private here."""
    _check(_libc.umount2(os.fsencode(target), ctypes.c_int(_MNT_DETACH)), target)


def die_with_parent() -> None:
    """SIGKILL when the thread that forked this process ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH14x", b"lo", 0)
        _, flags = struct.unpack("16sH14x", fcntl.ioctl(probe, _SIOCGIFFLAGS, request))
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _check(result: int, subject: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), subject)
