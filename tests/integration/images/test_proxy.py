"""Pulls through a real proxy, Debian's tinyproxy, that demands a user and a password."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from executor.images.failures import PullFailure
from tests.integration.images.pulls import Node, fresh
from tests.support.registry import Registry, docker_config

pytestmark = pytest.mark.root
ADDRESS = "10.200.77.1"
"""An address of the loopback device, but no loopback address: loopback addresses are never asked through a proxy."""
USER, PASSWORD = "puller", "s3same"


@dataclass(frozen=True)
class Proxy:
    url: str
    log: Path

    def tunnels(self) -> int:
        """How many it was asked for, and answered."""
        return self.log.read_text().count("CONNECT")


@pytest.fixture(scope="module")
def far() -> Iterator[str]:
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    yield ADDRESS
    subprocess.run(["ip", "address", "delete", f"{ADDRESS}/32", "dev", "lo"], check=True)


@pytest.fixture(scope="module")
def registry(far: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("far"), password=True, address=far) as found:
        yield found


@pytest.fixture(scope="module")
def open_registry(far: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("open"), tls=False, address=far) as found:
        yield found


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log, config = tmp_path / "proxy.log", tmp_path / "tinyproxy.conf"
    lines = [
        f"Port {port}",
        "Listen 127.0.0.1",
        "Timeout 60",
        f'LogFile "{log}"',
        "LogLevel Connect",
        "Allow 127.0.0.1",
        f"BasicAuth {USER} {PASSWORD}",
    ]
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(["tinyproxy", "-d", "-c", str(config)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        yield Proxy(f"http://127.0.0.1:{port}", log)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def credential(tmp_path: Path) -> str:
    path = tmp_path / "proxy-credential"
    path.write_text(f"{USER} {PASSWORD}\n")
    return str(path)


async def test_a_registry_over_https(here: Node, registry: Registry, proxy: Proxy, credential: str) -> None:
    registry.push("team/app", "1", fresh())
    here.trust(registry)
    login = docker_config(registry.host)
    name = f"{registry.host}/team/app:1"
    done = await here.pull(name, https_proxy=proxy.url, proxy_credential_file=credential, credentials=login)
    assert done.phase == "done" and proxy.tunnels() > 0
    assert PASSWORD not in proxy.log.read_text()


async def test_a_registry_over_http(here: Node, open_registry: Registry, proxy: Proxy, credential: str) -> None:
    open_registry.push("team/app", "1", fresh())
    name, plain = f"{open_registry.host}/team/app:1", (open_registry.host,)
    done = await here.pull(name, http_proxy=proxy.url, proxy_credential_file=credential, plain_http=plain)
    assert done.phase == "done"
    assert f"http://{open_registry.host}/v2/team/app" in proxy.log.read_text()


@pytest.mark.parametrize("text", [None, f"{USER} wrong\n"], ids=["none", "wrong"])
async def test_a_proxy_that_refuses(
    here: Node, registry: Registry, open_registry: Registry, proxy: Proxy, tmp_path: Path, text: str | None
) -> None:
    """tinyproxy answers a wrong password with 401, which over HTTP cannot be told from the registry's."""
    here.trust(registry)
    file = tmp_path / "credential"
    if text is not None:
        file.write_text(text)
    changes = {"https_proxy": proxy.url, "http_proxy": proxy.url, "proxy_credential_file": str(file)}
    with pytest.raises(PullFailure, match=r"407|401") as over_https:
        await here.pull(f"{registry.host}/team/app:1", **changes)
    assert "[images] proxy_credential_file" in str(over_https.value) and "wrong" not in str(over_https.value)
    with pytest.raises(PullFailure, match=r"407|401") as over_http:
        await here.pull(f"{open_registry.host}/team/app:1", plain_http=(open_registry.host,), **changes)
    assert text is not None or "[images] proxy_credential_file" in str(over_http.value)


async def test_a_network_without_a_proxy(here: Node, registry: Registry) -> None:
    registry.push("team/direct", "1", fresh())
    here.trust(registry)
    done = await here.pull(
        f"{registry.host}/team/direct:1",
        https_proxy="http://127.0.0.1:1",
        no_proxy=("10.200.0.0/16",),
        credentials=docker_config(registry.host),
    )
    assert done.phase == "done"
