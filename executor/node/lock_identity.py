"""The identity of an owner's lock file, which stands on everything that carries the owner's name, and its proof.

While the owner lives, its file system, device number and inode cannot become another file's, for it holds the file
open. A process that finds no file at the path, or another one, may look from another mount namespace, or at a
directory that was emptied: that proves nothing.

No process survives a reboot. But a directory may be shared with another machine, and a container may show a boot id of
its own (systemd-nspawn), so another boot id counts only with the same machine id and a start before this boot.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from executor.errors import reason

REAPED_SUFFIX = ".reaped"
"""A reaped owner's file is kept under this name for a while: what containerd makes late is still proven to be dead."""
CLAIM_S = 60.0
"""An empty file of this age was left by an executor that died while it claimed it. So was one that is as far in the
future: the clock was set back since.
"""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MACHINE_ID = Path("/etc/machine-id")


class Verdict(StrEnum):
    LIVING = "living"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class LockIdentity:
    """`since_s` is the time of the claim, in seconds since the epoch."""

    boot: str
    machine: str
    since_s: int
    device: int
    inode: int
    path: str

    def text(self) -> str:
        """For a label or a link: one line."""
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True)
class Proof:
    """`descriptor` holds the lock of a dead owner, unless the boot alone is the proof; to be closed by the caller."""

    verdict: Verdict
    reason: str = ""
    descriptor: int = -1


def identity_of(descriptor: int, path: Path) -> LockIdentity:
    """The identity of an open lock file. Raises OSError."""
    state = os.fstat(descriptor)
    return LockIdentity(
        _line(_BOOT_ID), _line(_MACHINE_ID), int(time.time()), state.st_dev, state.st_ino, str(path.absolute())
    )


def parse(text: str) -> LockIdentity | None:
    """None for what is no such text. Pure."""
    try:
        values = json.loads(text)
        found = LockIdentity(
            boot=str(values["boot"]),
            machine=str(values["machine"]),
            since_s=int(values["since_s"]),
            device=int(values["device"]),
            inode=int(values["inode"]),
            path=str(values["path"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    return found if found.path.startswith("/") and "\0" not in found.path else None


def prove(identity: LockIdentity) -> Proof:
    """Takes the lock if no process holds it."""
    reason = ""
    for path in (identity.path, identity.path + REAPED_SUFFIX):
        proof = _prove_by_lock(identity, Path(path))
        if proof.verdict is not Verdict.UNKNOWN:
            return proof
        reason = reason or proof.reason
    return Proof(Verdict.DEAD) if _is_of_earlier_boot(identity) else Proof(Verdict.UNKNOWN, reason)


def _prove_by_lock(identity: LockIdentity, path: Path) -> Proof:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return Proof(Verdict.UNKNOWN, f"{path} cannot be opened: {reason(error)}")
    proof = _prove_open(identity, path, descriptor)
    if proof.descriptor < 0:
        os.close(descriptor)
    return proof


def _prove_open(identity: LockIdentity, path: Path, descriptor: int) -> Proof:
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) or (state.st_dev, state.st_ino) != (identity.device, identity.inode):
        return Proof(Verdict.UNKNOWN, f"{path} is not the file that its owner locked")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Proof(Verdict.LIVING)
    except OSError as error:
        return Proof(Verdict.UNKNOWN, f"{path} cannot be locked: {reason(error)}")
    if state.st_size == 0 and abs(time.time() - state.st_mtime) < CLAIM_S:
        return Proof(Verdict.LIVING)  # it has made its file and not yet written into it
    if not _stands_at(path, identity):  # a clean end, or another reaper, between the opening and the lock
        return Proof(Verdict.UNKNOWN, f"{path} was removed meanwhile")
    return Proof(Verdict.DEAD, descriptor=descriptor)


def _stands_at(path: Path, identity: LockIdentity) -> bool:
    try:
        state = path.lstat()
    except OSError:
        return False
    return (state.st_dev, state.st_ino) == (identity.device, identity.inode)


def _is_of_earlier_boot(identity: LockIdentity) -> bool:
    boot, machine = _line(_BOOT_ID), _line(_MACHINE_ID)
    known = boot and identity.boot and machine == identity.machine
    booted_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return bool(known) and identity.boot != boot and identity.since_s < booted_s


def _line(path: Path) -> str:
    """Empty if it cannot be read."""
    try:
        return path.read_bytes().decode("ascii", "replace").strip()
    except OSError:
        return ""
