"""The sandboxes of the Mesos tasks of a pod: made, filled with what they want fetched, shown to Mesos, and owned.

    <Mesos sandbox>/pods/<pod>/tasks/<container>              the task's sandbox
                                                 /stdout      link to its log, as /stderr
    <Mesos sandbox>/tasks/<task id>                           link to it, where Mesos' pages look for it

Sources: src/webui/app/controllers.js (setTaskSandbox) and src/launcher/default_executor.cpp of Mesos 1.11. They stay
after the pod, as long as its logs do (executor.disk.task_sandboxes).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from executor.config.role_policy import Level
from executor.errors import Failure, reason
from executor.fetching import process
from executor.log import get_logger
from executor.names import PODS, TASKS
from executor.own_directory import Opened, OwnDirectory, ensure_below, open_directory
from executor.pod.node import STREAMS, Node, log_name
from executor.spec.volume_model import HostPath
from executor.volumes import host_path

if TYPE_CHECKING:
    from executor.names import PodId
    from executor.oci.users import UserIds
    from executor.spec.model import ContainerSpec, PodSpec
    from executor.spec.volume_model import TaskSandbox

log = get_logger(__name__)

MODE: Final = 0o755
NAME_MAX: Final = 255
"""Bytes of a file name (linux/limits.h)."""


class TaskSandboxes:
    """`files` is the pod's directory in the Mesos sandbox."""

    def __init__(self, node: Node, pod: PodId, spec: PodSpec, files: OwnDirectory) -> None:
        self._node, self._pod, self._spec, self._files = node, pod, spec, files
        self._links = OwnDirectory(str(node.mesos_sandbox), TASKS)

    async def fetch(self) -> None:
        """Everything that the tasks want in their sandboxes, one container after the other. Raises Failure."""
        for container in self._spec.containers:
            if container.uris:
                count = len(container.uris)
                log.info("fetches files", code="pod.fetching", pod=self._pod, container=container.name, count=count)
                with self._opened(container) as directory:
                    await self._fetch(container, directory)

    async def _fetch(self, container: ContainerSpec, directory: int) -> None:
        section, volumes = self._node.config.images, {each.name: each for each in self._spec.host_paths}
        proxies = process.Proxies(section.http_proxy, section.https_proxy, tuple(section.no_proxy))
        with ExitStack() as held:
            items = [
                process.Item(
                    uri.value,
                    uri.name,
                    uri.executable,
                    uri.extract,
                    await asyncio.to_thread(_opened_file, volumes[uri.volume], held) if uri.volume else None,
                )
                for uri in container.uris
            ]
            try:
                room_bytes, guarded = self._spec.resources.disk_bytes, self._is_guarded
                await process.fetch(items, directory, room_bytes, proxies, guarded=guarded)
            except Failure as error:
                subject = f"container {container.name}, {error.subject}"
                raise Failure(f"cannot be fetched: {error.message}", subject=subject, hint=error.hint) from error

    @property
    def _is_guarded(self) -> bool:
        """Whether what the node alone can reach is not fetched for a pod that cannot reach it."""
        policy = self._node.config.policy.of(self._spec.role)
        return policy.level is not Level.PRIVILEGED and not policy.host_network

    @contextmanager
    def _opened(self, container: ContainerSpec) -> Iterator[int]:
        try:
            self._files.make()
            with self._files.opened() as own, Opened(ensure_below(own, TASKS, container.name)) as directory:
                yield directory
        except OSError as error:
            raise Failure(reason(error), subject=str(error.filename or self._files.path)) from error

    def make(self, directory: int) -> None:
        """In the open directory of the pod, with links to and from them. Raises OSError."""
        for sandbox in self._spec.task_sandboxes:
            with Opened(ensure_below(directory, TASKS, sandbox.container)) as made:
                os.fchmod(made, MODE)
                for stream in STREAMS:
                    with contextlib.suppress(FileExistsError):  # a file that was fetched
                        os.symlink(f"../../{log_name(sandbox.container, stream)}", stream, dir_fd=made)
            self._link(sandbox)

    def _link(self, sandbox: TaskSandbox) -> None:
        """A task whose id cannot be a file name has none. Raises OSError."""
        name = str(sandbox.task)
        if {"/", "\0"} & set(name) or name in (".", "..") or len(os.fsencode(name)) > NAME_MAX:
            return
        self._links.make()
        with self._links.opened() as links:
            with contextlib.suppress(FileNotFoundError):  # an earlier task had the same id
                os.unlink(name, dir_fd=links)
            os.symlink(f"../{PODS}/{self._pod}/{TASKS}/{sandbox.container}", name, dir_fd=links)

    def check(self, directory: int) -> None:
        """That each of them is the directory that was made, in the open one of the pod. Raises OSError."""
        for sandbox in self._spec.task_sandboxes:
            with Opened(open_directory(directory, TASKS)) as tasks:
                os.close(open_directory(tasks, sandbox.container))

    async def own(self, container: ContainerSpec, user: UserIds) -> None:
        """Give the sandbox of a container that has never run to its user. Raises Failure."""
        if any(each.container == container.name for each in self._spec.task_sandboxes) and (user.uid or user.gid):
            with self._opened(container) as directory:
                await asyncio.to_thread(_own, directory, user.uid, user.gid)


def _opened_file(volume: HostPath, held: ExitStack) -> int:
    """A file of the node, that the policy allows, to be read. Raises Failure."""
    with host_path.opened(volume) as found:
        file = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)
    held.callback(os.close, file)
    return file


def _own(directory: int, uid: int, gid: int) -> None:
    os.fchown(directory, uid, gid)
    for _, below, files, above in os.fwalk(dir_fd=directory):
        for name in (*below, *files):
            os.chown(name, uid, gid, dir_fd=above, follow_symlinks=False)
