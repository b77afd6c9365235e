"""The volumes of a task without a pod in its data. Pure.

A SANDBOX_PATH is a directory of the pod, as an emptyDir volume is. With PARENT all tasks of a group that name the same
path have the same one.
"""

from __future__ import annotations

import hashlib

from executor.errors import InvalidTask
from executor.spec import checks as common
from executor.spec import volume_files
from executor.spec.mesos import secrets
from executor.spec.mesos.taskinfo import ContainerInfo, SandboxPath, Volume
from executor.spec.volume_model import EmptyDir, FilesVolume, FixedFile, HostPath, VolumeMount
from executor.spec.volume_model import Volume as PodVolume

_SECRET = "secret"  # noqa: S105 the name of a file
_SOURCES = ("host_path", "sandbox_path", "secret")

Mounted = tuple[PodVolume, VolumeMount]


def mounted(container: ContainerInfo | None, name: str, path: str) -> tuple[Mounted, ...]:
    """Each volume of the container `name` and where it is. Raises InvalidTask."""
    found = []
    for index, volume in enumerate(container.volumes if container is not None else ()):
        place = f"{path}[{index}]"
        target = common.mount_path(volume.container_path, f"{place}.container_path")
        found.append(_mounted(volume, f"{name}-{index}", target, place))
    common.unique((f"{path}[{index}].container_path", mount.path) for index, (_, mount) in enumerate(found))
    return tuple(found)


def _mounted(volume: Volume, name: str, target: str, path: str) -> Mounted:
    source = volume.source
    given = [] if source is None else [field for field in _SOURCES if getattr(source, field) is not None]
    if source is not None and given != [source.type.lower()]:
        raise InvalidTask(f"needs {source.type.lower()}, and nothing else", subject=f"{path}.source", hint="see type")
    if source is not None and source.sandbox_path is not None:
        made = EmptyDir(_directory(source.sandbox_path, name, f"{path}.source.sandbox_path"))
        return made, VolumeMount(made.name, target, volume.mode == "RO")
    if source is not None and source.secret is not None:
        content = secrets.content(source.secret, f"{path}.source.secret")
        files = FilesVolume(name, (FixedFile(_SECRET, content),))
        return files, VolumeMount(name, target, read_only=True, sub_path=_SECRET)
    return HostPath(name, _host_path(volume, path), field=path), VolumeMount(name, target, volume.mode == "RO")


def _directory(source: SandboxPath, name: str, path: str) -> str:
    """The name of the volume: of one that several tasks share it is made of its path."""
    found = volume_files.relative(source.path.lstrip("/"), f"{path}.path")
    if source.type == "SELF":
        return name
    return f"sandbox-{hashlib.sha256(found.encode()).hexdigest()[:16]}"


def _host_path(volume: Volume, path: str) -> str:
    if volume.source is not None and volume.source.host_path is not None:
        return common.absolute(volume.source.host_path.path, f"{path}.source.host_path.path")
    if volume.host_path is None:
        raise InvalidTask("has no source", subject=path, hint="give it a host_path or a source")
    return common.absolute(volume.host_path, f"{path}.host_path")
