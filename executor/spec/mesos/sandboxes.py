"""The sandbox of a Mesos task, which is its working directory, and what is in it at the start. Pure.

Sources: docs/fetcher.md; src/slave/containerizer/fetcher.cpp (basename, validateUri), src/launcher/fetcher.cpp and
src/launcher/default_executor.cpp of 1.11.
"""

from __future__ import annotations

from dataclasses import dataclass

from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.names import TaskId
from executor.spec import checks as common
from executor.spec import volume_files
from executor.spec.mesos.taskinfo import TaskInfo
from executor.spec.mesos.taskinfo import Uri as UriDocument
from executor.spec.model import EnvValue, RuntimeField
from executor.spec.reading.faults import Faults
from executor.spec.reading.marks import shown
from executor.spec.volume_model import ClaimedVolume, HostPath, TaskSandbox, Uri, Volume, VolumeMount

PATH = "/mnt/mesos/sandbox"
"""Mesos' --sandbox_directory where an agent names no other."""
_SCHEMES, _FILE = ("http", "https"), "file"


@dataclass(frozen=True)
class Sandbox:
    """What a task's container has of it: volumes, mounts, variables before its own, and what is fetched."""

    volumes: tuple[Volume, ...]
    mounts: tuple[VolumeMount, ...]
    env: tuple[tuple[str, EnvValue], ...]
    uris: tuple[Uri, ...]


def volume_name(container: str) -> str:
    """The name of the volume that is the sandbox of a container."""
    return f"{container}-sandbox"


def of(info: TaskInfo, own: Resources, name: str, path: str, *, group: bool) -> Sandbox:
    """The sandbox of the task whose container is `name`. With `group` it has what Mesos' default executor adds. Raises
    InvalidTask.
    """
    uris, files = _uris(info, name, f"{path}.command.uris")
    directory = TaskSandbox(volume_name(name), name, TaskId(info.task_id.value))
    claims = tuple(
        ClaimedVolume(f"{name}-claim-{index}", disk.id, disk.path, disk.read_only)
        for index, disk in enumerate(own.persistent_disks)
    )
    mounts = (VolumeMount(directory.name, PATH), *(VolumeMount(each.name, f"{PATH}/{each.path}") for each in claims))
    env: list[tuple[str, EnvValue]] = [("MESOS_SANDBOX", PATH)]
    if group:
        role = common.role(own, f"{path}.resources")
        env += [("MESOS_ALLOCATION_ROLE", role), ("MESOS_CONTAINER_IP", RuntimeField("status.podIP", optional=True))]
    return Sandbox((directory, *claims, *files), mounts, tuple(env), uris)


def _uris(info: TaskInfo, name: str, path: str) -> tuple[tuple[Uri, ...], tuple[HostPath, ...]]:
    faults = Faults()
    found = [
        faults.of(None, _uri, one, f"{name}-uri-{index}", f"{path}[{index}]")
        for index, one in enumerate(info.command.uris if info.command is not None else ())
    ]
    faults.end()
    uris = tuple(uri for each in found if each is not None for uri in each[:1])
    return uris, tuple(file for each in found if each is not None and (file := each[1]) is not None)


def _uri(one: UriDocument, volume: str, path: str) -> tuple[Uri, HostPath | None]:
    value = one.value.lstrip()
    scheme, separator, rest = value.partition("://")
    if set("\\'\0") & set(value):
        raise InvalidTask(f"{shown(value)} has a quote, a backslash or a zero byte", subject=f"{path}.value")
    if separator and scheme not in (*_SCHEMES, _FILE):
        hint = f"use {', '.join((*_SCHEMES, _FILE))}, or an absolute path of the node"
        raise InvalidTask(f"{shown(value)} cannot be fetched here", subject=f"{path}.value", hint=hint)
    file = None
    if not separator or scheme == _FILE:
        place = common.absolute(rest.removeprefix("localhost") if separator else value, f"{path}.value")
        file = HostPath(volume, place, "File", field=f"{path}.value")
    elif not rest.partition("/")[2]:
        raise InvalidTask(f"{shown(value)} has no path", subject=f"{path}.value", hint="as in http://host/file.tar.gz")
    field = "output_file" if one.output_file else "value"
    wanted = volume_files.relative(one.output_file or value.rpartition("/")[2], f"{path}.{field}")
    if not wanted:
        raise InvalidTask(f"{shown(value)} names no file", subject=f"{path}.{field}", hint="set output_file")
    return Uri(value, wanted, one.executable, one.extract, volume if file else ""), file
