"""Which executors live on this node, and what each of them owns: proof before anything of a dead one is removed.

An executor holds an exclusive flock(2) on `<run_dir>/<Mesos container id>.owner` as long as it lives; the kernel
releases it with the process, also after SIGKILL, so a pid that is used again proves nothing. The file says where the
executor's things are. It is removed by a clean end, or by the reaper of what a dead executor left; reapers hold the
lock meanwhile, so that two never meet. What carries the executor's name says which file this is (lock_identity.py),
so that no reaper takes an owner for dead because it looks into another directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from executor import bounded_json
from executor.errors import Failure, reason
from executor.names import MesosContainerId
from executor.node.ended_executors import MesosNames, remember
from executor.node.lock_identity import REAPED_SUFFIX, LockIdentity, identity_of

SOCKET_SUFFIX = ".sock"
"""The suffix of an executor's control socket, in the same directory as its owner file."""
SUFFIX = ".owner"
CLAIM_TRIES, CLAIM_PAUSE_S = 250, 0.02
REAPED_S = 600.0
"""How long the lock of an owner that was reaped is kept: longer than containerd works on a call."""
DEFAULT_ROOT = "/mesos-pod-executor"


def netns_parent(run_dir: str) -> Path:
    """Where each executor has a directory of its name, with the pinned network namespaces of its pods."""
    return Path(run_dir) / "netns"


def volumes_parent(run_dir: str) -> Path:
    """Where each executor has a directory of its name, with the mounts of its pods' volumes."""
    return Path(run_dir) / "volumes"


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


def regular_shims_group(configured: str, container: MesosContainerId, tree_root: str) -> str:
    """As `shims_group`, for the shims of its regular pods: a group that says whose they are and sets nothing."""
    own = own_root(configured, container)
    parent = f"{own}/regular-shims" if tree_root == own else f"{configured or DEFAULT_ROOT}-regular-shims"
    return f"{parent}/{container}"


def group_parents(configured: str) -> tuple[str, ...]:
    """The groups that hold groups called after executors, and nothing else of an executor's."""
    root = configured or DEFAULT_ROOT
    return root, f"{root}-shims", f"{root}-regular-shims"


@dataclass(frozen=True)
class Owner:
    """One executor, by what its file says; what that does not say is empty."""

    container: MesosContainerId
    cgroup_root: str = ""
    """Path of its tree in every hierarchy."""
    pid: int = 0
    state_dir: str = ""
    hosts_dir: str = ""
    shim_groups: tuple[str, ...] = ()
    """Paths of the groups of its shims."""
    lock: Path | None = None
    """Its owner file. None: there is none, and another boot proves its death."""
    mesos: MesosNames = field(default_factory=MesosNames)


class Claim:
    """The own lock, while its block lasts."""

    def __init__(self, identity: str = "") -> None:
        self.identity = identity
        """The identity of the lock (lock_identity.py): it belongs on everything that carries this executor's name."""
        self.kept = False

    def keep(self) -> None:
        """Something is left that could not be released: the file stays for the reaper, once this process has ended."""
        self.kept = True


@contextmanager
def claim(
    run_dir: Path,
    container: MesosContainerId,
    cgroup_root: str,
    *,
    state_dir: str = "",
    hosts_dir: str = "",
    shim_groups: Sequence[str] = (),
    mesos: MesosNames | None = None,
) -> Iterator[Claim]:
    """Own everything that carries `container`, until the block ends. The file says where its things are, for a reaper
    that is configured otherwise, and where its sandbox is, for those who ask what it did. Raises Failure when another
    process owns it already.
    """
    mesos = mesos or MesosNames()
    path = run_dir / f"{container}{SUFFIX}"
    hint = "is [node] run_dir writable, and is there no second executor in this Mesos container?"
    try:
        run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = _open_locked(path)
    except OSError as error:
        raise Failure(reason(error), subject=str(path), hint=hint) from error
    if descriptor is None:
        raise Failure("is held by a living process", subject=str(path), hint=hint)
    document = {
        "cgroup_root": cgroup_root,
        "pid": os.getpid(),
        "state_dir": state_dir,
        "hosts_dir": hosts_dir,
        "shim_groups": list(shim_groups),
        **mesos.document(),
    }
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(document).encode(), 0)
        yield (own := Claim(identity_of(descriptor, path).text()))
        if own.kept:
            return  # the lock ends with the process
        remember(run_dir, container, mesos, died=False)
        path.unlink(missing_ok=True)  # only after a clean end: otherwise it names what is left to reap
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)


def names(run_dir: Path) -> frozenset[MesosContainerId]:
    """Every executor that has a file in `run_dir`."""
    return frozenset(MesosContainerId(path.name.removesuffix(SUFFIX)) for path in run_dir.glob(f"*{SUFFIX}"))


def identity_in(run_dir: Path, container: MesosContainerId) -> LockIdentity | None:
    """The identity of a container's lock, from its file in `run_dir`; None if there is none."""
    path = run_dir / f"{container}{SUFFIX}"
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return identity_of(descriptor, path)
    finally:
        os.close(descriptor)


def of_dead(container: MesosContainerId, descriptor: int, identity: LockIdentity | None) -> Owner:
    """What the locked file says; where there is none (-1), that it is a dead owner's."""
    if descriptor < 0 or identity is None:
        return Owner(container)
    return replace(_read(container, descriptor), lock=Path(identity.path))


def forget(owner: Owner) -> None:
    """Nothing of it is left but its files. Its lock is kept under another name, see `forget_reaped`: what containerd
    makes late, for a call that it had from the dead owner, is still proven to be a dead one's.
    """
    if owner.lock is None:
        return
    forget_files(owner.lock.parent, owner.container)
    remember(owner.lock.parent, owner.container, owner.mesos, died=True)
    with contextlib.suppress(FileNotFoundError):
        os.utime(owner.lock)
        owner.lock.rename(f"{owner.lock}{REAPED_SUFFIX}")


def forget_files(run_dir: Path, container: MesosContainerId) -> None:
    """Removes a dead executor's socket and streams."""
    (run_dir / f"{container}{SOCKET_SUFFIX}").unlink(missing_ok=True)
    streams = streams_parent(str(run_dir))
    shutil.rmtree(streams / container, ignore_errors=True)
    with contextlib.suppress(OSError):  # other executors have theirs there
        streams.rmdir()


def was_reaped(run_dir: Path, container: MesosContainerId) -> bool:
    """Whether its lock is still kept after everything of it was released."""
    return (run_dir / f"{container}{SUFFIX}{REAPED_SUFFIX}").exists()


def forget_reaped(run_dir: Path, named: Collection[MesosContainerId]) -> None:
    """Removes the locks of owners that were reaped some time ago, and of which nothing was found now."""
    for path in run_dir.glob(f"*{SUFFIX}{REAPED_SUFFIX}"):
        container = MesosContainerId(path.name.removesuffix(f"{SUFFIX}{REAPED_SUFFIX}"))
        with contextlib.suppress(OSError):
            if container not in named and abs(time.time() - path.stat().st_mtime) > REAPED_S:
                path.unlink()


def living(run_dir: Path) -> frozenset[MesosContainerId]:
    """The executors whose lock is held now."""
    held = filter(is_locked, run_dir.glob(f"*{SUFFIX}"))
    return frozenset(MesosContainerId(path.name.removesuffix(SUFFIX)) for path in held)


def is_locked(path: Path) -> bool:
    """Whether a process holds this owner file's lock now."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


def listed(run_dir: Path) -> list[Owner]:
    """What every owner file says, of living and of dead executors; whose file went meanwhile is left out."""
    found = [peek(path) for path in sorted(run_dir.glob(f"*{SUFFIX}"))]
    return [owner for owner in found if owner is not None]


def peek(path: Path) -> Owner | None:
    """What one owner file says; None for what is none, or cannot be read. Its lock is not looked at."""
    if path.suffix != SUFFIX:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _read(MesosContainerId(path.name.removesuffix(SUFFIX)), descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open_locked(path: Path) -> int | None:
    """The file, made and locked; None when another process holds it. Raises OSError.

    Others may be trying this very lock just now (`living`), or have taken it between its making and its locking and
    removed the file: a lock counts only on the file that stands there afterwards.
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


def _read(container: MesosContainerId, descriptor: int) -> Owner:
    try:
        document = bounded_json.loads(os.pread(descriptor, 65536, 0))
        return Owner(
            container,
            cgroup_root=str(document["cgroup_root"]),
            pid=int(document["pid"]),
            state_dir=str(document.get("state_dir", "")),
            hosts_dir=str(document.get("hosts_dir", "")),
            shim_groups=tuple(str(each) for each in document.get("shim_groups", ())),
            mesos=MesosNames.of(document),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return Owner(container)
