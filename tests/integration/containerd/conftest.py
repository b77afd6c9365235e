"""One containerd for the module, and for every test a namespace of its own with a connection to it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from executor.containerd import Containerd
from executor.images.store import ImageStore
from tests.integration.containerd.launching import Launcher
from tests.support.containerd import PrivateContainerd
from tests.support.images import ImageSpec, write_archive


@pytest.fixture(scope="module")
def node() -> Iterator[PrivateContainerd]:
    with PrivateContainerd() as containerd:
        yield containerd


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("images") / "busybox.tar", ImageSpec())


@pytest.fixture
async def client(node: PrivateContainerd) -> AsyncIterator[Containerd]:
    async with await Containerd.connect(node.address, f"test-{secrets.token_hex(4)}") as containerd:
        yield containerd


@pytest.fixture
async def launcher(
    node: PrivateContainerd, client: Containerd, busybox: Path, tmp_path: Path
) -> AsyncIterator[Launcher]:
    """Launches containers of the busybox image, and takes down what the test leaves."""
    await ImageStore(client).import_archive(busybox)
    found = Launcher(client, node.cgroup, tmp_path)
    yield found
    await found.remove_all()
