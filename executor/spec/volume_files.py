"""Which files a configMap, secret, downwardAPI or projected volume shows. Pure.

Read when the pod is read, and again when its framework sends new ConfigMaps or Secrets.
Source: Kubernetes, pkg/volume/projected, pkg/volume/configmap (MakePayload).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from executor.errors import InvalidTask
from executor.spec.objects import (
    PAGE_BYTES,
    VOLUME_FILES_MAX_BYTES,
    VOLUME_PAGES_MAX_BYTES,
    DataKind,
    KeyedData,
    Objects,
)
from executor.spec.volume_model import DataFiles, FilesVolume, FixedFile, Item, Volume

PATH_MAX, NAME_MAX = 4096, 255
"""Bytes of a path and of one name in it (limits.h)."""
PAGES_MAX = VOLUME_PAGES_MAX_BYTES // PAGE_BYTES
_SUBJECT = "the files of configMap, secret, downwardAPI and projected volumes"


@dataclass(frozen=True)
class VolumeFile:
    content: bytes = field(repr=False)
    mode: int


Files = Mapping[str, VolumeFile]
"""By path below the volume."""


def files(volume: FilesVolume, objects: Objects) -> Files:
    """Raises InvalidTask: an object or a key is not there, or two files are in each other's way."""
    found: dict[str, VolumeFile] = {}
    for source in volume.sources:
        made = [_fixed(source)] if isinstance(source, FixedFile) else _of_data(source, objects)
        for path, content, mode in made:
            if path in found:
                subject = source.field if isinstance(source, DataFiles) else f"volume {volume.name}"
                raise InvalidTask(f"two files have the path {path[:80]!r}", subject=subject)
            found[path] = VolumeFile(content, volume.default_mode if mode is None else mode)
    _check_nesting(found, volume.name)
    return found


class Size:
    """What the files of a pod's volumes need together: they are in memory. A volume that is too much is the last one
    whose files are looked at, for many small volumes may show one large object.
    """

    def __init__(self) -> None:
        self._bytes = self._pages = 0

    def add(self, volume: FilesVolume, objects: Objects) -> None:
        """Raises InvalidTask for this volume as `files`, and for all of them once they are too large."""
        if self._pages <= PAGES_MAX:
            found = files(volume, objects)
            self._bytes += sum(len(file.content) for file in found.values())
            self._pages += pages_of(found)
        if self._bytes > VOLUME_FILES_MAX_BYTES:
            self._pages = PAGES_MAX + 1
            problem = f"{_SUBJECT} have more than {VOLUME_FILES_MAX_BYTES} bytes together"
            raise InvalidTask(problem, subject="spec.volumes")
        if self._pages > PAGES_MAX:
            raise _too_large()


def check_size(volumes: Iterable[FilesVolume], objects: Objects) -> None:
    """Check the files of all volumes of a pod. Raises InvalidTask as `Size.add`."""
    size = Size()
    for volume in volumes:
        size.add(volume, objects)


def pages_of(found: Files) -> int:
    """Pages of memory that a tmpfs needs for the files and their directories. Raises InvalidTask above PAGES_MAX."""
    return sum(max(1, -(-len(file.content) // PAGE_BYTES)) for file in found.values()) + len(_directories(found))


def _directories(paths: Iterable[str]) -> set[str]:
    """All that these files need. Raises InvalidTask above PAGES_MAX: some hundred long paths have a million of them."""
    found: set[str] = set()
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            if len(found) > PAGES_MAX:
                raise _too_large()
            above = above.rpartition("/")[0]
    return found


def _too_large() -> InvalidTask:
    problem = f"{_SUBJECT} need more than {VOLUME_PAGES_MAX_BYTES} bytes of memory together"
    hint = f"each file and each directory needs {PAGE_BYTES} bytes at least: show fewer of them, with items"
    return InvalidTask(problem, subject="spec.volumes", hint=hint)


def names_object(volume: FilesVolume, kind: DataKind, name: str) -> bool:
    """Whether the volume shows this ConfigMap or Secret."""
    return any(isinstance(each, DataFiles) and (each.kind, each.name) == (kind, name) for each in volume.sources)


def may_lack(volume: Volume) -> bool:
    """Whether a part of it may be missing: a file that is optional. Its place is an empty directory then, which is
    outside of the volume: a directory in it would stand in the way of the file, once its framework sends it.
    """
    return isinstance(volume, FilesVolume) and any(
        isinstance(source, DataFiles) and source.optional for source in volume.sources
    )


def of_file(path: str, subject: str) -> str:
    """The path of a file in a volume: `..data` and the like are the volume's own. Raises InvalidTask."""
    found = relative(path, subject)
    if not found or found.startswith(".."):
        raise InvalidTask(f"{path[:80]!r} cannot name a file of a volume", subject=subject, hint="as in app.conf")
    return found


def relative(path: str, subject: str) -> str:
    """A path below a volume, without . and .. (validateLocalDescendingPath). Raises InvalidTask."""
    names = path.split("/")
    if not path or path.startswith("/") or ".." in names:
        hint = "as in conf.d/app.conf"
        raise InvalidTask(f"{path[:80]!r} is not a relative path, or has .. in it", subject=subject, hint=hint)
    size = len(path.encode(errors="replace"))
    if size > PATH_MAX or any(len(name.encode(errors="replace")) > NAME_MAX for name in names):
        raise InvalidTask(f"{path[:80]!r}... is too long for a path", subject=subject)
    return "/".join(name for name in names if name not in ("", "."))


def profile(path: str, subject: str) -> str:
    """A file below the operator's directory of profiles. Raises InvalidTask, also for the directory itself."""
    found = relative(path, subject)
    if not found:
        raise InvalidTask(f"{path[:80]!r} names no file", subject=subject, hint="as in audit.json")
    return found


def missing(kind: DataKind, name: str, subject: str) -> InvalidTask:
    """An object that the pod names and its framework did not send."""
    hint = f"send the {kind} along: TaskInfo.data may be several YAML documents or a List"
    return InvalidTask(f"there is no {kind} {name[:80]!r} in TaskInfo.data", subject=subject, hint=hint)


def missing_key(data: KeyedData, key: str, subject: str) -> InvalidTask:
    """The error for a key that the pod names and the object does not have."""
    return InvalidTask(f"{data.kind} {data.name} has no key {key[:80]!r}", subject=subject)


def _fixed(source: FixedFile) -> tuple[str, bytes, int | None]:
    return source.path, source.content, source.mode


def _of_data(source: DataFiles, objects: Objects) -> Iterator[tuple[str, bytes, int | None]]:
    data = objects.data(source.kind, source.name)
    if data is None:
        if source.optional or (source.kind, source.name) in objects.unreadable:
            return
        name = "secretName" if source.field.endswith("].secret") and ".sources[" not in source.field else "name"
        raise missing(source.kind, source.name, f"{source.field}.{name}")
    for index, item in enumerate(_items(source, data)):
        if item.key not in data.values:
            if not source.optional:
                raise missing_key(data, item.key, f"{source.field}.items[{index}].key")
            continue
        yield item.path, data.values[item.key], item.mode


def _items(source: DataFiles, data: KeyedData) -> Iterable[Item]:
    return (Item(key, key) for key in sorted(data.values)) if source.items is None else source.items


def _check_nesting(found: Files, volume: str) -> None:
    if both := _directories(found) & found.keys():
        raise InvalidTask(f"{min(both)[:80]!r} is a file and a directory of files", subject=f"volume {volume}")
