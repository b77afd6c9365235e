"""A node with an address for its name server, and a directory of names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.dns.hostsdir import HostsDir
from tests.support.names import SERVER, SERVER6, Service, dnsmasq, ip, resolves


@pytest.fixture(autouse=True)
def private_node() -> None:
    if "MPE_TEST_NAMESPACE" not in os.environ:
        pytest.skip("makes network interfaces: needs the private node")


@pytest.fixture
def addresses(private_node: None) -> Iterator[None]:
    for address in (f"{SERVER}/32", f"{SERVER6}/128"):
        ip("addr", "replace", address, "dev", "lo", *(["nodad"] if ":" in address else []))
    yield
    for address in (f"{SERVER}/32", f"{SERVER6}/128"):
        ip("addr", "delete", address, "dev", "lo")


@pytest.fixture
def hosts(tmp_path_factory: pytest.TempPathFactory) -> HostsDir:
    """Where dnsmasq's own user gets to."""
    made = HostsDir(Path("/run") / tmp_path_factory.mktemp("names").name)
    made.ensure()
    return made


@pytest.fixture
def server(addresses: None, hosts: HostsDir, tmp_path: Path) -> Iterator[Service]:
    """A dnsmasq that answers."""
    with dnsmasq(hosts, tmp_path / "dnsmasq.log") as service:
        resolves("nobody.mesos")
        yield service
