"""Which executors live on this node, and what each of them owns: proof before anything of a dead one is removed.

An executor holds an exclusive flock(2) on `<run_dir>/<Mesos container id>.owner` as long as it lives; the kernel
releases it with the process, whatever ends it, so a pid that is used again deceives nobody. The file says where the
executor's cgroups are. It is removed by a clean end, or by whoever reaped what a dead executor left; reapers hold the
lock meanwhile, so that two never meet.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from executor.control_socket import SUFFIX as SOCKET_SUFFIX
from executor.errors import Failure
from executor.names import MesosContainerId

SUFFIX = ".owner"
CLAIM_TRIES, CLAIM_PAUSE_S = 250, 0.02
CLAIM_S = 60.0
"""An empty file of this age was left by an executor that died while it claimed it."""
DEFAULT_ROOT = "/mesos-pod-executor"


def netns_parent(run_dir: str) -> Path:
    """Where each executor has a directory of its name, with the pinned network namespaces of its pods."""
    return Path(run_dir) / "netns"


def cni_parent(state_dir: str) -> Path:
    """Where each executor has a directory of its name, with the records of its attachments."""
    return Path(state_dir) / "cni"


def streams_parent(run_dir: str) -> Path:
    """Where each executor has a directory of its name, with FIFOs that shims are about to open."""
    return Path(run_dir) / "streams"


def own_root(configured: str, container: MesosContainerId) -> str:
    """The cgroup of an executor whose agent made none; `configured` is [cgroups] root."""
    return f"{configured or DEFAULT_ROOT}/{container}"


def shims_group(configured: str, container: MesosContainerId, tree_root: str) -> str:
    """The cgroup of the shims of an executor's revocable pods; the group above it is for nothing but such groups.

    `tree_root` is where its pods are: beside [cgroups] root if in a Mesos container, else within what is its own.
    """
    own = own_root(configured, container)
    return f"{own}/shims/{container}" if tree_root == own else f"{configured or DEFAULT_ROOT}-shims/{container}"


@dataclass(frozen=True)
class Owner:
    """One executor, by what its file says."""

    container: MesosContainerId
    cgroup_root: str = ""
    """Path of its tree in every hierarchy; empty when its file was cut off."""
    pid: int = 0


class Claim:
    """Somebody's own, while his block lasts."""

    kept = False

    def keep(self) -> None:
        """Something is left that could not be released: the file stays and tells whoever reaps, once this process has
        ended.
        """
        self.kept = True


@contextmanager
def claim(run_dir: Path, container: MesosContainerId, cgroup_root: str) -> Iterator[Claim]:
    """Own everything that carries `container`, until the block ends. Raises Failure when another process does
    already.
    """
    path = run_dir / f"{container}{SUFFIX}"
    mend = "is [node] run_dir writable, and is no second executor in this Mesos container?"
    try:
        run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = _open_locked(path)
    except OSError as error:
        raise Failure(str(error.strerror), subject=str(path), mend=mend) from error
    if descriptor is None:
        raise Failure("is held by a living process", subject=str(path), mend=mend)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"cgroup_root": cgroup_root, "pid": os.getpid()}).encode(), 0)
        yield (own := Claim())
        if own.kept:
            return  # the lock ends with the process
        path.unlink(missing_ok=True)  # only after a clean end: otherwise it names what is left to reap
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)


@contextmanager
def dead(run_dir: Path) -> Iterator[list[Owner]]:
    """The executors that died without cleaning up, locked against other reapers until the block ends."""
    held: list[int] = []
    found: list[Owner] = []
    try:
        for path in sorted(run_dir.glob(f"*{SUFFIX}")):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                continue
            held.append(descriptor)
            if _lock(descriptor) and path.exists() and not _is_being_claimed(descriptor):
                found.append(_read(MesosContainerId(path.name.removesuffix(SUFFIX)), descriptor))
        yield found
    finally:
        for descriptor in held:
            os.close(descriptor)


def forget(run_dir: Path, owner: Owner) -> None:
    """Nothing of it is left but its files in `run_dir`."""
    (run_dir / f"{owner.container}{SOCKET_SUFFIX}").unlink(missing_ok=True)
    shutil.rmtree(streams_parent(str(run_dir)) / owner.container, ignore_errors=True)
    (run_dir / f"{owner.container}{SUFFIX}").unlink(missing_ok=True)


def living(run_dir: Path) -> frozenset[MesosContainerId]:
    """The executors whose lock is held now."""
    alive = set()
    for path in run_dir.glob(f"*{SUFFIX}"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if not _lock(descriptor):
                alive.add(MesosContainerId(path.name.removesuffix(SUFFIX)))
        finally:
            os.close(descriptor)
    return frozenset(alive)


def listed(run_dir: Path) -> list[Owner]:
    """What every owner file says, of living and of dead executors; whose file went meanwhile is left out."""
    found = []
    for path in sorted(run_dir.glob(f"*{SUFFIX}")):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            found.append(_read(MesosContainerId(path.name.removesuffix(SUFFIX)), descriptor))
        finally:
            os.close(descriptor)
    return found


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open_locked(path: Path) -> int | None:
    """The file, made and locked; None when another process holds it. Raises OSError.

    Others may be trying this very lock just now (`living`), or have taken it between its making and its locking and
    removed the file (`dead`): a lock counts only on the file that stands there afterwards.
    """
    for _ in range(CLAIM_TRIES):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if _lock(descriptor) and _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)
        time.sleep(CLAIM_PAUSE_S)
    return None


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _is_being_claimed(descriptor: int) -> bool:
    """An executor that starts has made its file and not yet written into it."""
    state = os.fstat(descriptor)
    return state.st_size == 0 and time.time() - state.st_mtime < CLAIM_S


def _read(container: MesosContainerId, descriptor: int) -> Owner:
    try:
        document = json.loads(os.pread(descriptor, 65536, 0))
        return Owner(container, str(document["cgroup_root"]), int(document["pid"]))
    except (ValueError, KeyError, TypeError):
        return Owner(container)
