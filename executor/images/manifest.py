"""Reading OCI and Docker image documents: indexes, manifests and configurations. Pure.

Source: OCI image-spec, image-index.md, manifest.md, config.md (chain ids: "Layer ChainID").
"""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from executor import bounded_json
from executor.containerd.types import Descriptor
from executor.errors import ImageFailure
from executor.images.model import ImageConfig

INDEX_TYPES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}
LAYERS_MAX = 500
"""As many as overlayfs mounts (fs/overlayfs/super.c, OVL_MAX_STACK)."""
_DIGEST = re.compile(r"sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})")


@dataclass(frozen=True)
class Manifest:
    config: Descriptor
    layers: tuple[Descriptor, ...]


def node_architecture() -> str:
    """This node's architecture in Go's words, as images use them."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


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
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ImageFailure(f"a descriptor has no valid digest: {digest!r}", subject=subject)
    if not isinstance(size, int) or size < 0 or not isinstance(media_type, str):
        raise ImageFailure(f"the descriptor of {digest} has no valid size or media type", subject=subject)
    return Descriptor(media_type, digest, size)


def descriptors(value: object, *, subject: str) -> tuple[Descriptor, ...]:
    return tuple(descriptor(item, subject=subject) for item in _items(value))


def manifest(data: bytes, *, subject: str) -> Manifest:
    return manifest_of(document(data, subject=subject), subject=subject)


def manifest_of(value: Mapping[str, object], *, subject: str) -> Manifest:
    layers = descriptors(value.get("layers"), subject=subject)
    if len(layers) > LAYERS_MAX:
        raise ImageFailure(f"the image has {len(layers)} layers, which is more than {LAYERS_MAX}", subject=subject)
    return Manifest(descriptor(value.get("config"), subject=subject), layers)


def is_index(media_type: str, value: Mapping[str, object]) -> bool:
    return media_type in INDEX_TYPES or ("manifests" in value and "config" not in value)


def choose(index: Mapping[str, object], architecture: str, *, subject: str) -> Descriptor:
    """The manifest of an index for linux/`architecture`; one without a platform will do when there is no other."""
    found = [item for item in _items(index.get("manifests")) if isinstance(item, Mapping)]
    platforms = [_platform(item) for item in found]
    for wish in (f"linux/{architecture}", ""):
        if wish in platforms:
            return descriptor(found[platforms.index(wish)], subject=subject)
    have = ", ".join(sorted(set(platforms))) or "nothing"
    raise ImageFailure(f"the image has no variant for linux/{architecture}, only {have}", subject=subject)


def _platform(item: Mapping[str, object]) -> str:
    value = item.get("platform")
    return f"{value.get('os')}/{value.get('architecture')}" if isinstance(value, Mapping) else ""


def diff_ids(config: Mapping[str, object], *, subject: str) -> tuple[str, ...]:
    """Digests of the uncompressed layers, lowest first."""
    rootfs = config.get("rootfs")
    values = _items(rootfs.get("diff_ids")) if isinstance(rootfs, Mapping) else ()
    if not all(isinstance(value, str) and _DIGEST.fullmatch(value) for value in values):
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


def image_config(config: Mapping[str, object]) -> ImageConfig:
    """The part of an image's configuration that concerns running it; what is malformed there counts as absent."""
    found = config.get("config")
    value: Mapping[str, object] = found if isinstance(found, Mapping) else {}
    volumes = value.get("Volumes")
    return ImageConfig(
        env=tuple(_variable(text) for text in _strings(value.get("Env")) or ()),
        entrypoint=_strings(value.get("Entrypoint")),
        cmd=_strings(value.get("Cmd")),
        working_dir=str(value.get("WorkingDir") or ""),
        user=str(value.get("User") or ""),
        stop_signal=str(value.get("StopSignal") or ""),
        volumes=tuple(sorted(volumes)) if isinstance(volumes, Mapping) else (),
    )


def _variable(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _strings(value: object) -> tuple[str, ...] | None:
    return tuple(str(item) for item in value) if isinstance(value, list) else None
