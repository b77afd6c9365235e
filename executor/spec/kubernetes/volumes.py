"""One volume of a Kubernetes v1 Pod as the model has it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from executor import quantity
from executor.errors import InvalidTask
from executor.mesos.resources import MIB, Resources
from executor.spec import checks as common
from executor.spec import volume_files
from executor.spec.kubernetes import companions, downward, huge_pages
from executor.spec.kubernetes import volume_documents as documents
from executor.spec.kubernetes.pod_documents import Pod, PodSpec
from executor.spec.objects import Claim, DataKind, Objects
from executor.spec.volume_model import (
    ClaimedVolume,
    DataFiles,
    EmptyDir,
    FilesVolume,
    FixedFile,
    HostPath,
    Item,
    Volume,
)

DEFAULT_MODE = 0o644
"""The mode of files (api/core/v1/types.go, ConfigMapVolumeSourceDefaultMode)."""
_SOURCES = {
    "empty_dir": "emptyDir",
    "ephemeral": "ephemeral",
    "host_path": "hostPath",
    "config_map": "configMap",
    "secret": "secret",
    "projected": "projected",
    "downward_api": "downwardAPI",
    "persistent_volume_claim": "persistentVolumeClaim",
}


@dataclass(frozen=True)
class VolumeContext:
    """What a volume's fields refer to."""

    pod: Pod
    identity: dict[str, str]
    resources: Resources
    objects: Objects
    size: volume_files.Size = field(default_factory=volume_files.Size)
    """The size of the files of all volumes so far."""

    @cached_property
    def tables(self) -> Mapping[str, bytes]:
        """The labels and annotations as files have them, made once: many files may show them."""
        return downward.tables(self.pod)


def volume(one: documents.Volume, context: VolumeContext, path: str) -> Volume:
    """Raises InvalidTask with a subject that begins with `path`."""
    name = common.dns_label(one.name, f"{path}.name")
    given = [word for attribute, word in _SOURCES.items() if getattr(one, attribute) is not None]
    if len(given) > 1:
        raise InvalidTask(f"has several sources: {', '.join(given)}", subject=path, hint="give it one")
    if one.host_path is not None:
        return _host_path(name, one.host_path, f"{path}.hostPath.path")
    if one.persistent_volume_claim is not None:
        return _claimed(name, one.persistent_volume_claim, context, f"{path}.persistentVolumeClaim")
    if one.ephemeral is not None:
        return _ephemeral(name, one.ephemeral, f"{path}.ephemeral")
    if one.empty_dir is not None or not given:
        return _empty_dir(name, one.empty_dir or documents.EmptyDirSource(), context.pod.spec, f"{path}.emptyDir")
    found = _files_volume(name, one, context, path)
    context.size.add(found, context.objects)
    return found


def _host_path(name: str, source: documents.HostPathSource, field: str) -> HostPath:
    """For a path without a type kubelet checks nothing, and the runtimes make a directory where nothing is
    (containerd's CRI, WithMounts).
    """
    makes_missing = source.type in ("", "DirectoryOrCreate")
    return HostPath(name, common.absolute(source.path, field), source.type, field, makes_missing=makes_missing)


def _empty_dir(name: str, source: documents.EmptyDirSource, spec: PodSpec, path: str) -> EmptyDir:
    subject, limit = f"{path}.sizeLimit", source.size_limit
    size_bytes = None if limit is None else quantity.size(limit, subject=subject) or None
    page_bytes = huge_pages.page_bytes(source.medium, spec, f"{path}.medium")
    return EmptyDir(name, size_bytes, in_memory=source.medium == "Memory" or page_bytes > 0, page_bytes=page_bytes)


def _ephemeral(name: str, source: documents.EphemeralSource, path: str) -> EmptyDir:
    """A volume that Kubernetes makes with the pod and removes with it, as an emptyDir is here."""
    wanted = source.volume_claim_template.spec.resources.requests.storage
    subject = f"{path}.volumeClaimTemplate.spec.resources.requests.storage"
    return EmptyDir(name, None if wanted is None else quantity.size(wanted, subject=subject) or None)


def _files_volume(name: str, one: documents.Volume, context: VolumeContext, path: str) -> FilesVolume:
    if (source := one.config_map) is not None:
        files = _data(DataKind.CONFIG_MAP, source.name, source, f"{path}.configMap")
        return FilesVolume(name, (files,), _mode(source.default_mode))
    if (secret := one.secret) is not None:
        files = _data(DataKind.SECRET, secret.secret_name, secret, f"{path}.secret")
        return FilesVolume(name, (files,), _mode(secret.default_mode))
    if (own := one.downward_api) is not None:
        return FilesVolume(name, tuple(_fixed(own.items, context, f"{path}.downwardAPI")), _mode(own.default_mode))
    projected = one.projected or documents.ProjectedSource()
    sources: list[DataFiles | FixedFile] = []
    for index, each in enumerate(projected.sources):
        sources += _projection(each, context, f"{path}.projected.sources[{index}]")
    return FilesVolume(name, tuple(sources), _mode(projected.default_mode))


def _projection(one: documents.Projection, context: VolumeContext, path: str) -> Iterator[DataFiles | FixedFile]:
    given = [each for each in (one.config_map, one.secret, one.downward_api) if each is not None]
    if len(given) != 1:
        hint = "give each of sources a configMap, a secret or a downwardAPI"
        raise InvalidTask("needs exactly one source", subject=path, hint=hint)
    if one.config_map is not None:
        yield _data(DataKind.CONFIG_MAP, one.config_map.name, one.config_map, f"{path}.configMap")
    if one.secret is not None:
        yield _data(DataKind.SECRET, one.secret.name, one.secret, f"{path}.secret")
    if one.downward_api is not None:
        yield from _fixed(one.downward_api.items, context, f"{path}.downwardAPI")


def _data(
    kind: DataKind,
    name: str,
    source: documents.ConfigMapSource | documents.SecretSource | documents.ProjectedData,
    path: str,
) -> DataFiles:
    items = tuple(
        Item(each.key, volume_files.of_file(each.path, f"{path}.items[{index}].path"), each.mode)
        for index, each in enumerate(source.items)
    )
    return DataFiles(kind, name, items or None, source.optional, path)


def _fixed(items: tuple[documents.DownwardFile, ...], context: VolumeContext, path: str) -> Iterator[FixedFile]:
    for index, each in enumerate(items):
        place = f"{path}.items[{index}]"
        content = downward.file_content(each, context.pod, context.identity, context.resources, context.tables, place)
        yield FixedFile(volume_files.of_file(each.path, f"{place}.path"), content, each.mode)


def _claimed(name: str, source: documents.ClaimSource, context: VolumeContext, path: str) -> ClaimedVolume:
    claim = context.objects.claims.get(source.claim_name, Claim(source.claim_name, source.claim_name))
    disks = {disk.id: disk for disk in context.resources.persistent_disks}
    if context.resources.is_any or (companions.CLAIM, source.claim_name) in context.objects.unreadable:
        return ClaimedVolume(name, claim.volume, claim.volume, read_only=source.read_only)
    if claim.volume not in disks:
        known = f"it has {', '.join(sorted(disks))}" if disks else "it has none"
        raise InvalidTask(
            f"no persistent volume {claim.volume[:80]!r} is among the task's resources: {known}",
            subject=f"{path}.claimName",
            hint="launch the task with a disk resource whose persistence.id is that of the claim",
        )
    disk = disks[claim.volume]
    if claim.request_bytes > disk.size_bytes:
        raise InvalidTask(
            f"the persistent volume {disk.id} has {disk.size_bytes // MIB} MiB, and the claim requests more:"
            f" {-(-claim.request_bytes // MIB)} MiB",
            subject=f"PersistentVolumeClaim {claim.name}.spec.resources.requests.storage",
        )
    return ClaimedVolume(name, disk.id, disk.path, read_only=source.read_only or disk.read_only)


def _mode(mode: int | None) -> int:
    return DEFAULT_MODE if mode is None else mode
