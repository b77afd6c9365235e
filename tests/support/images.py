"""Image archives made on the spot, without a network: one static busybox with its commands, run as one is told.

Layers, configurations and manifests are written as tools write them (OCI image-spec; docker save), by code that shares
nothing with the code under test.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

BUSYBOX = Path("/bin/busybox")  # Debian's busybox-static
DIRECTORIES = ("bin", "etc", "proc", "sys", "dev", "tmp", "var", "run", "root")
Form = Literal["oci", "oci-index", "docker"]
_OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class ImageSpec:
    """`files` and `links` are added in a layer of their own, so that two images differ in one layer and share the
    other, unless their `base` differs: then no file of one is a file of the other.
    """

    name: str = "docker.io/library/busybox:test"
    entrypoint: Sequence[str] | None = None
    cmd: Sequence[str] | None = ("/bin/sh",)
    env: Sequence[str] = ("PATH=/bin",)
    user: str = ""
    working_dir: str = ""
    stop_signal: str = ""
    volumes: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    architecture: str = "amd64"
    base: str = "busybox"

    def layers(self) -> list[bytes]:
        if not self.files and not self.links:
            return [busybox_layer(self.base)]
        files = {name: (data, 0o644) for name, data in self.files.items()}
        return [busybox_layer(self.base), _tar(files, links=self.links)]

    def config(self) -> bytes:
        run: dict[str, object] = {
            "Entrypoint": self.entrypoint,
            "Cmd": self.cmd,
            "Env": self.env,
            "User": self.user,
            "WorkingDir": self.working_dir,
            "StopSignal": self.stop_signal,
            "Volumes": {volume: {} for volume in self.volumes} or None,
        }
        diff_ids = [digest_of(layer) for layer in self.layers()]
        rootfs = {"type": "layers", "diff_ids": diff_ids}
        kept = {key: value for key, value in run.items() if value not in (None, "")}
        return _json({"architecture": self.architecture, "os": "linux", "config": kept, "rootfs": rootfs})


def write_archive(path: Path, *images: ImageSpec, form: Form = "oci") -> Path:
    """An archive of these images at `path`. `oci-index` wraps each manifest in an index of platforms."""
    members = _docker(images) if form == "docker" else _oci(images, nested=form == "oci-index")
    path.write_bytes(_tar({name: (data, 0o644) for name, data in members.items()}))
    return path


@functools.cache
def busybox_layer(base: str = "busybox") -> bytes:
    """The base layer, uncompressed: about 2 MB. `base` makes another one with the same commands."""
    data = BUSYBOX.read_bytes()
    names = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    files = {
        "bin/busybox": (data, 0o755),
        "etc/passwd": (b"root:x:0:0:root:/root:/bin/sh\n", 0o644),
        "etc/issue": (base.encode(), 0o644),
    }
    return _tar(files, directories=DIRECTORIES, links={f"bin/{name}": "busybox" for name in names if name != "busybox"})


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _oci(images: Sequence[ImageSpec], *, nested: bool) -> dict[str, bytes]:
    members = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    entries = []
    for image in images:
        layers = [_store(members, f"{_OCI}.layer.v1.tar+gzip", gzipped(layer)) for layer in image.layers()]
        config = _store(members, f"{_OCI}.config.v1+json", image.config())
        entry = _document(members, f"{_OCI}.manifest.v1+json", config=config, layers=layers)
        if nested:
            variant = {**entry, "platform": {"os": "linux", "architecture": image.architecture}}
            absent = {
                **entry,
                "digest": digest_of(b"absent"),
                "platform": {"os": "linux", "architecture": "mips"},
            }
            entry = _document(members, f"{_OCI}.index.v1+json", manifests=[absent, variant])
        annotations = {
            "io.containerd.image.name": image.name,
            "org.opencontainers.image.ref.name": image.name.rpartition(":")[2],
        }
        entries.append({**entry, "annotations": annotations if image.name else {}})
    members["index.json"] = _json({"schemaVersion": 2, "manifests": entries})
    return members


def _docker(images: Sequence[ImageSpec]) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    entries = []
    for image in images:
        config = image.config()
        names = [f"{digest_of(layer)[7:]}/layer.tar" for layer in image.layers()]
        members.update(zip(names, image.layers(), strict=True))
        members[config_name := f"{digest_of(config)[7:]}.json"] = config
        entries.append({"Config": config_name, "RepoTags": [image.name] if image.name else None, "Layers": names})
    members["manifest.json"] = _json(entries)
    return members


def _document(members: dict[str, bytes], media_type: str, **fields: object) -> dict[str, object]:
    return _store(members, media_type, _json({"schemaVersion": 2, "mediaType": media_type, **fields}))


def _store(members: dict[str, bytes], media_type: str, data: bytes) -> dict[str, object]:
    digest = digest_of(data)
    members[f"blobs/{digest.replace(':', '/')}"] = data
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


@functools.lru_cache(maxsize=8)
def gzipped(data: bytes) -> bytes:
    """As a layer is compressed; the same each time."""
    return gzip.compress(data, compresslevel=1, mtime=0)


def _tar(
    files: Mapping[str, tuple[bytes, int]],
    *,
    directories: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in directories:
            tar.addfile(_member(name, tarfile.DIRTYPE, mode=0o755))
        for name, (data, mode) in files.items():
            tar.addfile(_member(name, tarfile.REGTYPE, mode=mode, size=len(data)), io.BytesIO(data))
        for name, target in (links or {}).items():
            tar.addfile(_member(name, tarfile.SYMTYPE, link=target))
    return buffer.getvalue()


def _member(name: str, kind: bytes, *, mode: int = 0o777, size: int = 0, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.linkname = kind, mode, size, link
    return member


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
