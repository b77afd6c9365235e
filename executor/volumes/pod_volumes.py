"""All volumes of one pod: made before its containers, mounted, updated while it runs, released after it.

    <Mesos sandbox>/pods/<pod>/volumes/<name>         emptyDir on disk
                               tasks/<container>      the sandbox of a Mesos task (executor/pod/task_sandboxes.py)
    <run_dir>/volumes/<executor>/<pod>/memory/<name>  emptyDir in memory: a tmpfs each
                                       files/<name>   configMap, secret, downwardAPI, projected: in one tmpfs
                                       private/<container id>   in a tmpfs of its own, which no container sees:
                                           what puts secrets into variables (executor/oci/secret_words.py)
                                       parts/<container>/<number>   subPath: a bind mount of what was found
                                       stage   where it was prepared (host_mounts.bind)

Everything below run_dir is mounts and what they stand on. A claimed volume is where the agent shows it, and nothing of
it is removed. After its release a pod's volumes are not used again: work that comes later is refused, and work that
still waits for a disk makes the release fail, which is to be tried again.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from executor.errors import Failure, reason
from executor.names import TASKS
from executor.own_directory import Opened, OwnDirectory, open_directory
from executor.spec import mount_part, volume_files
from executor.spec.expansion import CONTAINER_MAX_BYTES
from executor.spec.model import SHM_BYTES, ContainerSpec, PodSpec
from executor.spec.objects import PAGE_BYTES, VOLUME_PAGES_MAX_BYTES, Objects
from executor.spec.volume_model import ClaimedVolume, EmptyDir, FilesVolume, HostPath, TaskSandbox, Volume, VolumeMount
from executor.volumes import empty_dir, files, host_mounts, host_path, mount_tree, shared_memory, sub_path
from executor.volumes.ownership import Ownership

FILES: Final = "files"
PARTS: Final = "parts"
STAGE: Final = "stage"
PRIVATE: Final = "private"
"""executor/oci/secret_runtime.py finds its scripts there."""
FILES_TMPFS_BYTES: Final = 2 * VOLUME_PAGES_MAX_BYTES * max(1, mmap.PAGESIZE // PAGE_BYTES)
"""Old and new files are there together for a moment. A node with larger pages needs more of it for a small file."""
PRIVATE_TMPFS_BYTES: Final = 16 * CONTAINER_MAX_BYTES
RELEASE_S: Final = 10.0
"""How long a release waits for work that is still under way on a disk that hangs."""
T = TypeVar("T")


class Turns(Protocol):
    """Runs a job turn by turn, off the event loop (executor.disk.turns)."""

    async def run(self, job: Ownership) -> None:
        """Until the job is done."""


class PodVolumes:
    """`files` is the pod's directory in the Mesos sandbox, `mounts_dir` its own below run_dir."""

    def __init__(
        self, spec: PodSpec, *, files: OwnDirectory, mounts_dir: Path, mesos_sandbox: Path, turns: Turns
    ) -> None:
        self._spec = spec
        self._objects = spec.objects
        self._files, self._mounts_dir, self._mesos_sandbox = files, mounts_dir, mesos_sandbox
        self._turns = turns
        self._volumes = {volume.name: volume for volume in spec.volumes}
        self._shown: dict[str, volume_files.Files] = {}
        self._busy: set[asyncio.Future[Any]] = set()
        self._has_mounts = False
        self._released = False
        self._updating = asyncio.Lock()
        self._staging = threading.Lock()
        """Held by the thread that prepares the parts of one container, for all use one place."""

    @property
    def objects(self) -> Objects:
        """As they are now, after updates."""
        return self._objects

    def own(self, empty: int) -> None:
        """Give the descriptor of a fresh emptyDir its mode, and its group. Raises OSError."""
        group = self._spec.fs_group
        if group is not None:
            os.fchown(empty, -1, group.gid)
        os.fchmod(empty, empty_dir.MODE | (0 if group is None else 0o2000))

    async def prepare(self) -> None:
        """Make every volume, and what the containers share of memory. Raises Failure with the volume as subject."""
        if self._spec.shares_memory:
            await self._work(self._share_memory)
        if not self._volumes:
            return
        async with self._updating:
            await self._work(self._make_all)
        group = self._spec.fs_group
        for volume in self._spec.claimed_volumes if group is not None else ():
            if not volume.read_only:
                await self._own(volume)

    async def sources(self, container: ContainerSpec, variables: Mapping[str, str]) -> tuple[Path, ...]:
        """Where on the node each of the container's mounts comes from, in their order. `variables` are the container's.
        A subPath, and a hostPath that the policy allows, are looked up for each start of a container, and mounted by
        descriptor: runc gets a path that only the executor can change. Raises Failure, InvalidTask.
        """
        wanted = [(mount, mount_part.part(mount, variables, container.name)) for mount in container.mounts]
        if not any(self._is_bound(mount, part) for mount, part in wanted):
            return tuple(self._path(self._volumes[mount.volume]) for mount in container.mounts)
        return await self._work(lambda: self._bind_parts(container.name, wanted))

    def _is_bound(self, mount: VolumeMount, part: str) -> bool:
        return bool(part) or _is_beneath(self._volumes[mount.volume])

    async def update(self, change: Callable[[Objects], Objects]) -> tuple[str, ...]:
        """Show from now on what `change` makes of the objects; the names of the volumes whose files changed. One after
        the other. Raises what `change` raises and InvalidTask before anything is changed, Failure.
        """
        async with self._updating:
            objects = change(self._objects)
            volume_files.check_size(self._spec.files_volumes, objects)
            fresh = {volume.name: volume_files.files(volume, objects) for volume in self._spec.files_volumes}
            changed = [name for name, found in fresh.items() if found != self._shown.get(name)]
            if changed and self._shown:  # before the volumes are made nothing is to be written again
                await self._work(lambda: self._write({name: fresh[name] for name in changed}))
            self._objects = objects
            return tuple(changed)

    async def write_private(self, name: str, text: str) -> None:
        """A file that is never on disk, and that no container sees, in one step. Raises Failure."""
        await self._work(lambda: self._write_private(name, text))

    async def release(self) -> None:
        """Unmount everything of the pod; no process of it may be left. Idempotent. Raises Failure, also where work on a
        volume does not end: it may make a mount yet.
        """
        self._released = True
        if self._busy:
            await asyncio.wait(self._busy, timeout=RELEASE_S)
        if self._busy:
            hint = "a disk of the node may hang: look for threads in state D"
            raise Failure(f"work on them has not ended within {RELEASE_S:g} s", subject="volumes", hint=hint)
        if self._has_mounts:
            await self._run(lambda: mount_tree.remove(self._mounts_dir))

    async def _work(self, work: Callable[[], T]) -> T:
        if self._released:
            raise Failure("were released already, for the pod ends", subject="volumes")
        return await self._run(work)

    async def _run(self, work: Callable[[], T]) -> T:
        def translated() -> T:
            try:
                return work()
            except OSError as error:
                raise host_mounts.failure(error, "volumes") from error

        future = asyncio.ensure_future(host_mounts.run(translated))
        self._busy.add(future)
        future.add_done_callback(self._busy.discard)
        return await asyncio.shield(future)

    # --- in a thread that sees the node's mounts ---------------------------------------------------------------

    def _share_memory(self) -> None:
        self._ensure_own_directory()
        shared_memory.make(self._mounts_dir, max(each.shm_bytes or SHM_BYTES for each in self._spec.containers))

    def _make_all(self) -> None:
        for volume in self._spec.volumes:
            try:
                self._make(volume)
            except OSError as error:
                raise host_mounts.failure(error, f"volume {volume.name}") from error
        shown = {volume.name: volume_files.files(volume, self._objects) for volume in self._spec.files_volumes}
        if shown:
            self._ensure_own_directory()
            host_mounts.tmpfs(self._mounts_dir / FILES, FILES_TMPFS_BYTES, mode=0o700, swaps=False)
            self._write(shown)

    def _write_private(self, name: str, text: str) -> None:
        directory = self._mounts_dir / PRIVATE
        self._ensure_own_directory()
        host_mounts.tmpfs(directory, PRIVATE_TMPFS_BYTES, mode=0o700, swaps=False)
        fresh = directory / f"{name}.new"
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        fresh.replace(directory / name)

    def _make(self, volume: Volume) -> None:
        match volume:
            case EmptyDir(in_memory=True):
                self._ensure_own_directory()
                self._mount_memory(volume, self._path(volume))
                with Opened(os.open(self._path(volume), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as made:
                    self.own(made)
            case EmptyDir() | TaskSandbox() | FilesVolume():
                pass  # the sandbox makes the first two with its own directories; the files of all come last
            case HostPath():
                host_path.ensure(volume)
            case ClaimedVolume():
                self._check_claimed(volume)

    def _mount_memory(self, volume: EmptyDir, path: Path) -> None:
        if volume.page_bytes:
            host_mounts.hugetlbfs(path, volume.page_bytes, volume.size_limit_bytes, mode=empty_dir.MODE)
        else:
            size_bytes = empty_dir.memory_bytes(volume, self._spec.resources.mem_bytes)
            host_mounts.tmpfs(path, size_bytes, mode=empty_dir.MODE)

    def _ensure_own_directory(self) -> None:
        self._has_mounts = True
        self._mounts_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _check_claimed(self, volume: ClaimedVolume) -> None:
        if not self._path(volume).is_dir():
            raise Failure(
                f"the agent shows no persistent volume {volume.id} at {volume.path}",
                subject=f"volume {volume.name}",
                hint="the agent mounts or links it there before the task: see its log",
            )

    def _write(self, shown: Mapping[str, volume_files.Files]) -> None:
        group = self._spec.fs_group
        for name, found in shown.items():
            files.write(self._mounts_dir / FILES / name, found, None if group is None else group.gid)
            self._shown[name] = found

    def _bind_parts(self, container: str, wanted: list[tuple[VolumeMount, str]]) -> tuple[Path, ...]:
        parts = self._mounts_dir / PARTS
        self._ensure_own_directory()
        with self._staging:
            host_mounts.stage(self._mounts_dir / STAGE)
            return tuple(
                self._bind_part(mount, part, parts / container / str(index))
                if self._is_bound(mount, part)
                else self._path(self._volumes[mount.volume])
                for index, (mount, part) in enumerate(wanted)
            )

    def _bind_part(self, mount: VolumeMount, part: str, target: Path) -> Path:
        volume = self._volumes[mount.volume]
        make = not isinstance(volume, FilesVolume) and not (_is_beneath(volume) and mount.read_only)
        try:
            with self._opened(volume) as root, Opened(sub_path.open_part(root, part, make=make)) as opened:
                host_mounts.bind(opened, target, self._mounts_dir / STAGE / "part")
        except FileNotFoundError as error:
            if not volume_files.may_lack(volume):
                raise _part_failure(error, mount) from error
            host_mounts.empty_directory(target)
        except OSError as error:
            raise _part_failure(error, mount) from error
        return target

    def _opened(self, volume: Volume) -> Opened:
        if isinstance(volume, HostPath) and volume.beneath:
            return host_path.opened(volume)
        if isinstance(volume, TaskSandbox) or (isinstance(volume, EmptyDir) and not volume.in_memory):
            folder, name = self._path(volume).parts[-2:]
            with self._files.opened() as own, Opened(open_directory(own, folder)) as above:
                return Opened(open_directory(above, name))
        return Opened(os.open(self._path(volume), os.O_PATH | os.O_CLOEXEC))

    def _path(self, volume: Volume) -> Path:
        match volume:
            case EmptyDir(in_memory=True):
                return empty_dir.memory_path(self._mounts_dir, volume)
            case TaskSandbox():
                return Path(self._files.path, TASKS, volume.container)
            case EmptyDir():
                return empty_dir.empty_dir_path(Path(self._files.path), volume)
            case HostPath():
                return Path(volume.path)
            case ClaimedVolume():
                return self._mesos_sandbox / volume.path
            case FilesVolume():
                return self._mounts_dir / FILES / volume.name

    async def _own(self, volume: ClaimedVolume) -> None:
        group = self._spec.fs_group
        assert group is not None  # noqa: S101 - the caller's condition, said for the type checker
        job = Ownership(self._path(volume), group.gid, on_root_mismatch=group.on_root_mismatch)
        try:
            await self._turns.run(job)
        except OSError as error:
            raise host_mounts.failure(error, f"volume {volume.name}") from error


def _part_failure(error: OSError, mount: VolumeMount) -> Failure:
    """Its message has the expression of a subPathExpr and no variable's value, which may be a secret."""
    part = f", subPath {mount.sub_path}" if mount.sub_path else ""
    return Failure(reason(error), subject=f"volume {mount.volume}{part}", hint=host_mounts.hint(error))


def _is_beneath(volume: Volume) -> bool:
    return isinstance(volume, HostPath) and bool(volume.beneath)
