"""What an image archive says it holds: OCI layouts (`index.json`) and what `docker save` wrote (`manifest.json`).

A docker archive is described as the OCI image that it amounts to: its layers are measured and a manifest is composed.
Source: OCI image-spec, image-layout.md; moby image/spec v1.2, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from executor import bounded_json
from executor.containerd.types import SNAPSHOTTER, Descriptor
from executor.errors import ImageFailure
from executor.images import manifest as documents
from executor.images import reference
from executor.images.archive import Archive

_CHUNK_BYTES = 1 << 20
_GC = "containerd.io/gc.ref"
UNCOMPRESSED_LABEL = "containerd.io/uncompressed"
_OCI = "application/vnd.oci.image"
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Blob:
    """Content to be stored, with the labels that keep what it refers to: a member of the archive, else `data`."""

    target: Descriptor
    labels: Mapping[str, str]
    member: str = ""
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class ArchivedImage:
    """`name` is empty when the archive gives none. `blobs`: children first, so no label refers to what is not there."""

    name: str
    target: Descriptor
    blobs: tuple[Blob, ...]


def images(archive: Archive) -> tuple[ArchivedImage, ...]:
    """At least one image, or ImageFailure."""
    if "index.json" in archive:
        found = tuple(_oci_images(archive))
    elif "manifest.json" in archive:
        found = tuple(_docker_images(archive))
    else:
        raise archive.failure("neither index.json nor manifest.json in it: not an OCI or docker image archive")
    if not found:
        raise archive.failure("the archive holds no image")
    return found


def config_labels(layer_diff_ids: tuple[str, ...]) -> dict[str, str]:
    """The label on an image's configuration that keeps its unpacked snapshot."""
    chain = documents.chain_ids(layer_diff_ids)
    return {f"{_GC}.snapshot.{SNAPSHOTTER}": chain[-1]} if chain else {}


def _oci_images(archive: Archive) -> Iterator[ArchivedImage]:
    subject = archive.subject("index.json")
    items = documents.document(archive.read("index.json"), subject=subject).get("manifests")
    for item in items if isinstance(items, list) else []:
        target = documents.descriptor(item, subject=subject)
        yield ArchivedImage(_annotated_name(item), target, tuple(_walk(archive, target)))


def _walk(archive: Archive, target: Descriptor) -> Iterator[Blob]:
    """The blobs of an index or manifest; variants that an index names but the archive lacks are left out."""
    member = _blob_member(target)
    subject = archive.subject(member)
    data = archive.read(member)
    if not matches(data, target.digest):  # also makes an index that contains itself impossible
        raise archive.failure(f"{member} does not match its digest")
    value = documents.document(data, subject=subject)
    if not documents.is_index(target.media_type, value):
        found = documents.manifest(data, subject=subject)
        yield from _manifest_children(archive, found)
        yield Blob(target, manifest_labels(found), member)
        return
    children = documents.descriptors(value.get("manifests"), subject=subject)
    present = [child for child in children if _blob_member(child) in archive]
    if not present:
        raise archive.failure(f"{member} is an index, but none of its manifests is in the archive")
    for child in present:
        yield from _walk(archive, child)
    yield Blob(target, index_labels(present), member)


def _manifest_children(archive: Archive, found: documents.Manifest) -> Iterator[Blob]:
    config = _blob_member(found.config)
    diffs = _diff_ids(archive, config, len(found.layers))
    for layer, diff_id in zip(found.layers, diffs, strict=True):
        archive.require(_blob_member(layer))
        yield Blob(layer, {UNCOMPRESSED_LABEL: diff_id}, _blob_member(layer))
    yield Blob(found.config, config_labels(diffs), config)


def _docker_images(archive: Archive) -> Iterator[ArchivedImage]:
    measured: dict[str, Descriptor] = {}
    for entry in _docker_entries(archive):
        blobs = _docker_blobs(archive, entry, measured)
        tags = entry.get("RepoTags")
        for tag in tags if isinstance(tags, list) and tags else [""]:
            yield ArchivedImage(reference.normalise(str(tag)) if tag else "", blobs[-1].target, blobs)


def _docker_entries(archive: Archive) -> list[Mapping[str, object]]:
    try:
        value = bounded_json.loads(archive.read("manifest.json"), bounded_json.IMAGE_DOCUMENT)
    except ValueError as error:
        raise ImageFailure(f"not a JSON document: {error}", subject=archive.subject("manifest.json")) from error
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise archive.failure("manifest.json is not a list of objects")
    return value


def _docker_blobs(archive: Archive, entry: Mapping[str, object], measured: dict[str, Descriptor]) -> tuple[Blob, ...]:
    config_member, listed = entry.get("Config"), entry.get("Layers")
    if not isinstance(config_member, str) or not isinstance(listed, list):
        raise archive.failure("manifest.json has an entry without Config or Layers")
    members = [str(member) for member in listed]
    diffs = _diff_ids(archive, config_member, len(members))
    for member in members:
        if member not in measured:
            measured[member] = _measure_layer(archive, member)
    config = _describe(f"{_OCI}.config.v1+json", archive.read(config_member))
    found = documents.Manifest(config, tuple(measured[member] for member in members))
    data, target = _compose(found)
    layers = zip(found.layers, diffs, members, strict=True)
    return (
        *(Blob(layer, {UNCOMPRESSED_LABEL: diff_id}, member) for layer, diff_id, member in layers),
        Blob(config, config_labels(diffs), config_member),
        Blob(target, manifest_labels(found), data=data),
    )


def _measure_layer(archive: Archive, member: str) -> Descriptor:
    digest, size, kind = hashlib.sha256(), 0, f"{_OCI}.layer.v1.tar"
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            if size == 0 and chunk.startswith(_GZIP_MAGIC):
                kind += "+gzip"
            digest.update(chunk)
            size += len(chunk)
    return Descriptor(kind, f"sha256:{digest.hexdigest()}", size)


def _compose(found: documents.Manifest) -> tuple[bytes, Descriptor]:
    """A manifest for a docker archive, which has none."""
    kind = f"{_OCI}.manifest.v1+json"
    config, *layers = (
        {"mediaType": item.media_type, "digest": item.digest, "size": item.size_bytes}
        for item in (found.config, *found.layers)
    )
    value = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}
    data = json.dumps(value, separators=(",", ":")).encode()
    return data, _describe(kind, data)


def _diff_ids(archive: Archive, member: str, layers: int) -> tuple[str, ...]:
    subject = archive.subject(member)
    found = documents.diff_ids(documents.document(archive.read(member), subject=subject), subject=subject)
    if len(found) != layers:
        raise archive.failure(f"{member} lists {len(found)} diff_ids, but the image has {layers} layers")
    return found


def manifest_labels(found: documents.Manifest) -> dict[str, str]:
    """The labels on a manifest that keep its configuration and its layers."""
    labels = {f"{_GC}.content.l.{i}": layer.digest for i, layer in enumerate(found.layers)}
    return {f"{_GC}.content.config": found.config.digest, **labels}


def index_labels(children: Sequence[Descriptor]) -> dict[str, str]:
    """The labels on an index that keep those of its manifests that are stored."""
    return {f"{_GC}.content.m.{i}": child.digest for i, child in enumerate(children)}


def _annotated_name(item: object) -> str:
    annotations = item.get("annotations") if isinstance(item, Mapping) else None
    found: Mapping[str, object] = annotations if isinstance(annotations, Mapping) else {}
    for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name"):
        name = str(found.get(key, ""))
        if reference.is_full(name):
            return reference.normalise(name)
    return ""


def _blob_member(target: Descriptor) -> str:
    algorithm, _, value = target.digest.partition(":")
    return f"blobs/{algorithm}/{value}"


def matches(data: bytes, digest: str) -> bool:
    """Whether they have this digest. Raises ValueError for an algorithm that is not known. Pure."""
    algorithm, _, value = digest.partition(":")
    return hashlib.new(algorithm, data).hexdigest() == value


def _describe(media_type: str, data: bytes) -> Descriptor:
    return Descriptor(media_type, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
