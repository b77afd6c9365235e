"""The volumes of a task without a pod in its data. Pure.

A SANDBOX_PATH of type SELF is a part of the task's sandbox. With PARENT it is a directory of the pod, as an emptyDir
volume is: all tasks of a group that name the same path have the same one. A relative container_path is one in the
sandbox.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from executor.errors import InvalidTask
from executor.spec import checks as common
from executor.spec import volume_files
from executor.spec.mesos import sandboxes, secrets
from executor.spec.mesos.taskinfo import ContainerInfo, SandboxPath, Volume
from executor.spec.volume_model import EmptyDir, FilesVolume, FixedFile, HostPath, Propagation, VolumeMount
from executor.spec.volume_model import Volume as PodVolume

_SECRET = "secret"  # noqa: S105 the name of a file
_SOURCES = ("host_path", "sandbox_path", "secret")

Mounted = tuple[PodVolume | None, VolumeMount]
"""Without a volume it is a part of the task's sandbox."""


def mounted(container: ContainerInfo | None, name: str, path: str) -> tuple[Mounted, ...]:
    """Each volume of the container `name` and where it is. Raises InvalidTask."""
    found = []
    for index, volume in enumerate(container.volumes if container is not None else ()):
        place = f"{path}[{index}]"
        target = _target(volume.container_path, f"{place}.container_path")
        found.append(_mounted(volume, name, f"{name}-{index}", target, place))
    common.unique((f"{path}[{index}].container_path", mount.path) for index, (_, mount) in enumerate(found))
    return tuple(found)


def _mounted(volume: Volume, container: str, name: str, target: str, path: str) -> Mounted:
    source = volume.source
    given = [] if source is None else [field for field in _SOURCES if getattr(source, field) is not None]
    if source is not None and given != [source.type.lower()]:
        raise InvalidTask(f"needs {source.type.lower()}, and nothing else", subject=f"{path}.source", hint="see type")
    if source is not None and source.sandbox_path is not None:
        return _part(source.sandbox_path, container, VolumeMount("", target, volume.mode == "RO"), path)
    if source is not None and source.secret is not None:
        content = secrets.content(source.secret, f"{path}.source.secret")
        files = FilesVolume(name, (FixedFile(_SECRET, content),))
        return files, VolumeMount(name, target, read_only=True, sub_path=_SECRET)
    mount = VolumeMount(name, target, volume.mode == "RO", propagation=_propagation(volume))
    return HostPath(name, _host_path(volume, path), field=path), mount


def _propagation(volume: Volume) -> Propagation:
    given = None if volume.source is None else volume.source.host_path
    shows_later = given is not None and given.mount_propagation.mode == "HOST_TO_CONTAINER"
    return Propagation.HOST_TO_CONTAINER if shows_later else Propagation.NONE


def _target(path: str, subject: str) -> str:
    if path.startswith("/"):
        return common.mount_path(path, subject)
    return common.mount_path(f"{sandboxes.PATH}/{volume_files.relative(path, subject)}", subject)


def _part(source: SandboxPath, container: str, mount: VolumeMount, path: str) -> Mounted:
    """A part of the task's own sandbox, or a directory of the pod whose name is made of its path."""
    found = volume_files.relative(source.path.lstrip("/"), f"{path}.source.sandbox_path.path")
    if source.type == "SELF":
        return None, replace(mount, volume=sandboxes.volume_name(container), sub_path=found)
    made = EmptyDir(f"sandbox-{hashlib.sha256(found.encode()).hexdigest()[:16]}")
    return made, replace(mount, volume=made.name)


def _host_path(volume: Volume, path: str) -> str:
    if volume.source is not None and volume.source.host_path is not None:
        return common.absolute(volume.source.host_path.path, f"{path}.source.host_path.path")
    if volume.host_path is None:
        raise InvalidTask("has no source", subject=path, hint="give it a host_path or a source")
    return common.absolute(volume.host_path, f"{path}.host_path")
