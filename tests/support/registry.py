"""A registry of one's own: Debian's docker-registry on a loopback port, with TLS from a CA of its own and a password.

with Registry(directory) as registry:
    registry.push("team/app", "1", ImageSpec())
    f"{registry.host}/team/app:1"            # what a pod names
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from tests.support.images import ImageSpec, digest_of, gzipped

USER, PASSWORD = "robot", "open sesame"
_HTPASSWD = "robot:$2b$04$p0feloC/Za/yAopHal0JZef4QTreE7y26qqL32VfopsfMmNw2jt4e\n"
_OCI = "application/vnd.oci.image"
START_S = 15.0
Compression = Literal["gzip", "zstd", ""]


class Registry:
    """`tls`: HTTPS with a certificate of `ca`; `password`: only USER with PASSWORD is served; `address` is one of this
    machine.
    """

    def __init__(
        self, directory: Path, *, tls: bool = True, password: bool = False, address: str = "127.0.0.1"
    ) -> None:
        self.directory = directory
        self.port = _free_port()
        self.address = address
        self.host = f"{address}:{self.port}"
        self.ca = directory / "ca.crt"
        self.tls = tls
        self.password = password
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.tls:
            certificates(self.directory, self.address)
        (self.directory / "htpasswd").write_text(_HTPASSWD)
        (self.directory / "config.yml").write_text(json.dumps(self._config()))  # JSON is YAML too
        with (self.directory / "log").open("ab") as log:
            command = ["docker-registry", "serve", str(self.directory / "config.yml")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise RuntimeError(f"the registry did not start:\n{(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def push(
        self, repository: str, tag: str, image: ImageSpec, *, compression: Compression = "gzip", index: bool = False
    ) -> str:
        """Push an image by the registry's own API; its digest. `index`: within an index of one platform."""
        layers = [self._blob(repository, *_compressed(layer, compression)) for layer in image.layers()]
        config = self._blob(repository, f"{_OCI}.config.v1+json", image.config())
        manifest = {"schemaVersion": 2, "mediaType": f"{_OCI}.manifest.v1+json", "config": config, "layers": layers}
        if not index:
            return self.put(repository, tag, manifest)
        inner = self.put(repository, digest_of(json.dumps(manifest).encode()), manifest)
        entry = {
            "mediaType": manifest["mediaType"],
            "digest": inner,
            "size": len(json.dumps(manifest)),
            "platform": {"os": "linux", "architecture": image.architecture},
        }
        return self.put(
            repository, tag, {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": [entry]}
        )

    def put(self, repository: str, version: str, manifest: Mapping[str, Any]) -> str:
        """Push a manifest or an index."""
        data = json.dumps(manifest).encode()
        self._ask("PUT", f"/v2/{repository}/manifests/{version}", data, {"content-type": manifest["mediaType"]})
        return digest_of(data)

    def forget_layers(self) -> None:
        """Delete every blob, so that a pull of a layer fails."""
        for path in (self.directory / "data/docker/registry/v2/blobs").glob("*/*/*/data"):
            path.unlink()

    def _blob(self, repository: str, media_type: str, data: bytes) -> dict[str, object]:
        digest = digest_of(data)
        place = self._ask("POST", f"/v2/{repository}/blobs/uploads/", b"", {})
        parts = urlsplit(place)
        self._ask(
            "PUT", f"{parts.path}?{parts.query}&digest={digest}", data, {"content-type": "application/octet-stream"}
        )
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def _ask(self, method: str, path: str, data: bytes, headers: Mapping[str, str]) -> str:
        connection = self.connect()
        login = {"authorization": basic(USER, PASSWORD)} if self.password else {}
        connection.request(method, path, data, {**headers, **login})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status < 300, (method, path, answer.status, body)
        return answer.headers.get("location", "")

    def connect(self) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(self.address, self.port)
        context = ssl.create_default_context(cafile=str(self.ca))
        return http.client.HTTPSConnection(self.address, self.port, context=context)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.address, self.port)) == 0

    def _config(self) -> dict[str, object]:
        own: dict[str, object] = {"addr": self.host}
        if self.tls:
            own["tls"] = {"certificate": str(self.directory / "tls.crt"), "key": str(self.directory / "tls.key")}
        found: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(self.directory / "data")}},
            "http": own,
        }
        if self.password:
            found["auth"] = {"htpasswd": {"realm": "tests", "path": str(self.directory / "htpasswd")}}
        return found


def certificates(directory: Path, address: str = "127.0.0.1") -> None:
    """ca.crt, and tls.crt with tls.key for the address."""
    (directory / "ext").write_text(f"subjectAltName=IP:{address}\n")
    environment = {**os.environ, "OPENSSL_CONF": os.devnull}  # not as this machine's operator would have it
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
        ["req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=tests"],
        ["req", *curve, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=127.0.0.1"],
        ["x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
         "-extfile", "ext", "-out", "tls.crt"],
    ):  # fmt: skip
        subprocess.run(["openssl", *command], cwd=directory, env=environment, check=True, capture_output=True)


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def docker_config(host: str, user: str = USER, password: str = PASSWORD) -> str:
    """As docker login writes it."""
    return json.dumps({"auths": {host: {"auth": b64encode(f"{user}:{password}".encode()).decode()}}})


def _compressed(layer: bytes, compression: Compression) -> tuple[str, bytes]:
    kind = f"{_OCI}.layer.v1.tar"
    if compression == "gzip":
        return f"{kind}+gzip", gzipped(layer)
    return (f"{kind}+zstd", zstd(layer)) if compression == "zstd" else (kind, layer)


def zstd(data: bytes) -> bytes:
    """A frame of blocks that are stored as they are (RFC 8878, 3.1.1)."""
    blocks = [data[at : at + (1 << 17)] for at in range(0, len(data), 1 << 17)] or [b""]
    frame = bytearray(b"\x28\xb5\x2f\xfd" + bytes([0x00, 0x38]))  # no checksum, a window of 128 KiB
    for number, block in enumerate(blocks):
        is_last = number == len(blocks) - 1
        frame += (len(block) << 3 | is_last).to_bytes(3, "little") + block
    return bytes(frame)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
