"""Reading OCI and Docker image documents: indexes, manifests and configurations. Pure.

Source: OCI image-spec, image-index.md, manifest.md, config.md (chain ids: "Layer ChainID").
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from executor import bounded_json
from executor.containerd.types import Descriptor
from executor.errors import ImageFailure
from executor.images.model import ImageConfig
from executor.images.platforms import Platform, of_entry, rank
from executor.images.reference import DIGEST

INDEX_TYPES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
SCHEMA_1_TYPES = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""What a registry is asked for."""
CONFIG_TYPES = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
        "application/octet-stream",  # as old versions of docker pushed it
    }
)
_LAYER_TYPE = re.compile(
    r"application/vnd\.oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+gzip|\+zstd)?"
    r"|application/vnd\.docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?"
)
ENTRIES_MAX = 1000
SIZE_MAX = (1 << 63) - 1
"""Bytes, as containerd counts them (int64)."""
LAYERS_MAX = 500
"""As many as overlayfs mounts (fs/overlayfs/super.c, OVL_MAX_STACK)."""

PATH_MAX = 4096
"""PATH_MAX of limits.h."""
USER_MAX = 1024
"""Two names, each of them some tens of letters."""
SIGNAL_MAX = 64
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


class NoVariantError(ImageFailure):
    """An index has nothing that this node runs."""


@dataclass(frozen=True)
class Manifest:
    config: Descriptor
    layers: tuple[Descriptor, ...]


def document(data: bytes, *, subject: str) -> Mapping[str, object]:
    """A JSON object; ImageFailure names `subject` if it is none."""
    try:
        value = bounded_json.loads(data, bounded_json.IMAGE_DOCUMENT)
    except ValueError as error:
        raise ImageFailure(f"not a JSON document: {error}", subject=subject) from error
    if not isinstance(value, dict):
        raise ImageFailure("not a JSON object", subject=subject)
    return value


def descriptor(value: object, *, subject: str) -> Descriptor:
    """A content descriptor with a digest of a known form, so that it can be used in a path."""
    if not isinstance(value, Mapping):
        raise ImageFailure("a descriptor is missing or not an object", subject=subject)
    digest, size, media_type = value.get("digest"), value.get("size"), value.get("mediaType", "")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise ImageFailure(f"a descriptor has no valid digest: {digest!r}", subject=subject)
    if not isinstance(size, int) or not 0 <= size <= SIZE_MAX or not isinstance(media_type, str):
        raise ImageFailure(f"the descriptor of {digest} has no valid size or media type", subject=subject)
    return Descriptor(media_type, digest, size)


def descriptors(value: object, *, subject: str) -> tuple[Descriptor, ...]:
    """The descriptors of a list; none for what is not a list. Raises ImageFailure."""
    return tuple(descriptor(item, subject=subject) for item in _items(value))


def manifest(data: bytes, *, subject: str) -> Manifest:
    """A manifest from its bytes. Raises ImageFailure."""
    return manifest_of(document(data, subject=subject), subject=subject)


def manifest_of(value: Mapping[str, object], *, subject: str) -> Manifest:
    """ImageFailure for a document that is none, or of a form that nothing here runs."""
    check_form(value, subject=subject)
    layers = descriptors(value.get("layers"), subject=subject)
    if len(layers) > LAYERS_MAX:
        raise ImageFailure(f"the image has {len(layers)} layers, which is more than {LAYERS_MAX}", subject=subject)
    return Manifest(descriptor(value.get("config"), subject=subject), layers)


def check_form(value: Mapping[str, object], media_type: str = "", *, subject: str) -> None:
    """ImageFailure for a manifest of Docker's schema 1, and for one that describes no image but some other artifact."""
    if media_type in SCHEMA_1_TYPES or value.get("schemaVersion") == 1 or "fsLayers" in value:
        hint = "push it again with a current docker, podman or skopeo"
        raise ImageFailure("is in Docker's schema 1, which is not supported", subject=subject, hint=hint)
    config = value.get("config")
    kind = config.get("mediaType") if isinstance(config, Mapping) else None
    if isinstance(kind, str) and kind and kind not in CONFIG_TYPES:
        raise ImageFailure(f"is not a container image: its configuration is of the type {kind}", subject=subject)


def check_layer(layer: Descriptor, *, subject: str) -> None:
    """ImageFailure for a layer that cannot be unpacked: encrypted, or of a kind that is not a tar."""
    kind = layer.media_type
    if kind and not _LAYER_TYPE.fullmatch(kind):
        message = f"its layer {layer.digest} is of the type {kind[:100]}, which is not supported"
        raise ImageFailure(message, subject=subject)


def is_index(media_type: str, value: Mapping[str, object]) -> bool:
    """Whether a document lists manifests, by its media type or its form."""
    return media_type in INDEX_TYPES or ("manifests" in value and "config" not in value)


def choices(index: Mapping[str, object], platforms: Sequence[Platform], *, subject: str) -> tuple[Descriptor, ...]:
    """The entries of an index that this node may run, the best first; those without a platform (an index in an index,
    a single manifest) come last, and attestations never. NoVariantError if there are none.
    """
    entries = [item for item in _items(index.get("manifests")) if isinstance(item, Mapping)]
    if len(entries) > ENTRIES_MAX:
        raise ImageFailure(f"the index has {len(entries)} entries, which is more than {ENTRIES_MAX}", subject=subject)
    ranked = [(place, item) for item in entries if (place := _place(item, platforms)) is not None]
    if not ranked:
        have = ", ".join(sorted({_platform(item) for item in entries})) or "nothing"
        wanted = f"linux/{platforms[0].architecture}"
        raise NoVariantError(f"the image has no variant for {wanted}, only {have}", subject=subject)
    return tuple(descriptor(item, subject=subject) for _, item in sorted(ranked, key=lambda each: each[0]))


def _place(item: Mapping[str, object], platforms: Sequence[Platform]) -> int | None:
    if _is_attestation(item):
        return None
    if not isinstance(item.get("platform"), Mapping):
        return len(platforms)
    found = of_entry(item)
    return None if found is None else rank(found, platforms)


def _is_attestation(item: Mapping[str, object]) -> bool:
    """A statement about another entry, as BuildKit puts it beside it."""
    annotations = item.get("annotations")
    return isinstance(annotations, Mapping) and "vnd.docker.reference.type" in annotations


def _platform(item: Mapping[str, object]) -> str:
    value = item.get("platform")
    if not isinstance(value, Mapping):
        return "one without a platform"
    parts = (value.get("os"), value.get("architecture"), value.get("variant"))
    return "/".join(str(part) for part in parts if part)


def diff_ids(config: Mapping[str, object], *, subject: str) -> tuple[str, ...]:
    """Digests of the uncompressed layers, lowest first."""
    rootfs = config.get("rootfs")
    values = _items(rootfs.get("diff_ids")) if isinstance(rootfs, Mapping) else ()
    if not all(isinstance(value, str) and DIGEST.fullmatch(value) for value in values):
        raise ImageFailure("the image's configuration has an invalid rootfs.diff_ids", subject=subject)
    return tuple(str(value) for value in values)


def chain_ids(layer_diff_ids: Iterable[str]) -> tuple[str, ...]:
    """The name of the snapshot after each layer."""
    chain: list[str] = []
    for diff_id in layer_diff_ids:
        parent = chain[-1] if chain else ""
        joined = hashlib.sha256(f"{parent} {diff_id}".encode()).hexdigest()
        chain.append(f"sha256:{joined}" if parent else diff_id)
    return tuple(chain)


def image_config(config: Mapping[str, object], *, subject: str = "") -> ImageConfig:
    """The part of an image's configuration that concerns running it; what is malformed there counts as absent. Raises
    ImageFailure for what is longer than any container could use, and for a NUL or half a surrogate pair. Its variables
    and words are bounded where they are joined with those of the pod.
    """
    found = config.get("config")
    value: Mapping[str, object] = found if isinstance(found, Mapping) else {}
    volumes = value.get("Volumes")
    if isinstance(volumes, Mapping) and (len(volumes) > ENTRIES_MAX or max(map(len, volumes), default=0) > PATH_MAX):
        message = f"its configuration has more than {ENTRIES_MAX} Volumes, or one of more than {PATH_MAX} letters"
        raise ImageFailure(message, subject=subject)
    made = ImageConfig(
        env=tuple(_variable(text) for text in _strings(value.get("Env")) or ()),
        entrypoint=_strings(value.get("Entrypoint")),
        cmd=_strings(value.get("Cmd")),
        working_dir=_text(value, "WorkingDir", PATH_MAX, subject),
        user=_text(value, "User", USER_MAX, subject),
        stop_signal=_text(value, "StopSignal", SIGNAL_MAX, subject),
        volumes=tuple(sorted(volumes)) if isinstance(volumes, Mapping) else (),
    )
    if any(map(_UNUSABLE.search, _texts(made))):
        raise ImageFailure("its configuration has a NUL or half a surrogate pair in a text", subject=subject)
    return made


def _texts(found: ImageConfig) -> Iterator[str]:
    for pair in found.env:
        yield from pair
    yield from (*(found.entrypoint or ()), *(found.cmd or ()), *found.volumes)
    yield from (found.working_dir, found.user, found.stop_signal)


def _text(value: Mapping[str, object], key: str, most: int, subject: str) -> str:
    text = str(value.get(key) or "")
    if len(text) > most:
        raise ImageFailure(f"the {key} of its configuration has more than {most} letters", subject=subject)
    return text


def _variable(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _strings(value: object) -> tuple[str, ...] | None:
    return tuple(str(item) for item in value) if isinstance(value, list) else None
