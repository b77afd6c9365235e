"""An address that the real host-local reserved for nobody is released, and never one that it is just reserving."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from executor.cni.config.conflist import Network
from executor.cni.records.unwritten import release_unwritten
from tests.integration.cni.lab import REAL_PLUGINS

HOST_LOCAL = REAL_PLUGINS / "host-local"
WAIT_S = 0.5


def ipam(directory: Path) -> dict[str, object]:
    return {"type": "host-local", "dataDir": str(directory), "ranges": [[{"subnet": "10.78.0.0/24"}]]}


@pytest.fixture
def network(tmp_path: Path) -> Network:
    (tmp_path / "podnet").mkdir()
    return Network("podnet", "n.conf", ({"type": "bridge", "ipam": ipam(tmp_path)},), ("0.4.0",), "0.4.0", derived=True)


def add(directory: Path, container: str) -> subprocess.Popen[str]:
    environment = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": container,
        "CNI_NETNS": "/proc/self/ns/net",
        "CNI_NETNS_OVERRIDE": "1",  # plugins of 1.9 refuse their own namespace without it
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(REAL_PLUGINS),
    }
    process = subprocess.Popen(
        [HOST_LOCAL], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ, **environment}, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"cniVersion": "0.4.0", "name": "podnet", "ipam": ipam(directory)}))
    process.stdin.close()
    return process


@contextmanager
def locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def test_the_plugin_and_the_release_exclude_each_other(tmp_path: Path, network: Network) -> None:
    ledger = tmp_path / "podnet"
    with locked(ledger / "lock"):
        process = add(tmp_path, "pod-0123456789ab")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(WAIT_S)
        (ledger / "10.78.0.2").touch()  # as the plugin's, made and not yet written
        assert release_unwritten([network]) == 0 and (ledger / "10.78.0.2").exists()
    assert process.wait(10) == 0
    assert (ledger / "10.78.0.3").read_text().startswith("pod-0123456789ab"), "it passes by what seems to be taken"
    assert release_unwritten([network]) == 1
    assert sorted(path.name for path in ledger.glob("10.*")) == ["10.78.0.3"]
    assert add(tmp_path, "pod-0123456789ac").wait(10) == 0
    assert release_unwritten([network]) == 0
    assert len(list(ledger.glob("10.*"))) == 2


def test_a_network_without_a_ledger_has_none(tmp_path: Path) -> None:
    missing = Network("n", "n.conf", ({"type": "bridge", "ipam": ipam(tmp_path / "no")},), ("0.4.0",), "0.4.0", True)
    assert release_unwritten([missing, Network("m", "m.conf", ({"type": "loopback"},), ("0.4.0",), "0.4.0", True)]) == 0
