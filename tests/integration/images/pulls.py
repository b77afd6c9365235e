"""Registries and a node that pulls from them, as fixtures."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from executor.containerd import Containerd
from executor.images.pulling.puller import pull
from executor.images.pulling.wire import Progress, Request, Settings
from executor.images.registry.credentials import parse_docker_config
from executor.images.store import ImageStore
from tests.support.images import ImageSpec, digest_of, gzipped
from tests.support.registry import Registry
from tests.support.registry_front import Front

SIZE = 3 << 20


def fresh(base: str = "busybox") -> ImageSpec:
    """With a layer of its own: containerd shares what it has between the namespaces of the tests."""
    return ImageSpec("unused", cmd=("/bin/app",), files={"big": os.urandom(SIZE)}, base=base)


def layer(image: ImageSpec, number: int = 1) -> str:
    """The digest of a layer, as it is pushed."""
    return digest_of(gzipped(image.layers()[number]))


async def until(condition: Callable[[], object], limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("plain"), tls=False) as registry:
        yield registry


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("secure"), password=True) as registry:
        yield registry


@pytest.fixture
def app(plain: Registry) -> ImageSpec:
    """What team/app:1 of `plain` is."""
    image = fresh()
    plain.push("team/app", "1", image)
    return image


@pytest.fixture
def front(plain: Registry) -> Iterator[Front]:
    with Front(plain) as front:
        yield front


@dataclass
class Node:
    """One node: its containerd and its operator's files."""

    client: Containerd
    store: ImageStore
    settings: Settings
    told: list[Progress]

    async def pull(self, name: str, **changes: object) -> Progress:
        """`credentials`: a config.json; other changes are of the settings."""
        credentials = parse_docker_config(str(changes.pop("credentials", "{}")), subject="test")
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        return await pull(self.client, self.store, Request(name, settings, credentials), self.told.append)

    def hosts(self, host: str, text: str) -> None:
        directory = Path(self.settings.hosts_dir) / host
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "hosts.toml").write_text(text)

    def log_in(self, text: str) -> None:
        Path(self.settings.docker_config).write_text(text)

    def trust(self, registry: Registry) -> None:
        self.hosts(registry.host, f'ca = "{registry.ca}"\n')


@pytest.fixture
async def here(client: Containerd, tmp_path: Path, plain: Registry) -> Node:
    settings = Settings(
        client.address,
        client.namespace,
        str(tmp_path / "run"),
        str(tmp_path / "certs.d"),
        str(tmp_path / "config.json"),
        plain_http=(plain.host,),
    )
    return Node(client, ImageStore(client), settings, [])
