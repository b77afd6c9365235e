"""`doctor` on networks that do harm, each really there, and put right again by the test that made it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.mesos.doctor.examination import complaints, examine
from tests.support.rig import NETWORK, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def network(rig: Rig, **changes: Any) -> dict[str, Any]:
    conf: dict[str, Any] = json.loads((rig.cni_config / "10-podnet.conf").read_text())
    return conf | changes


@contextmanager
def file(rig: Rig, name: str, text: str) -> Iterator[None]:
    """One more, or another, in the directory of CNI configurations."""
    path = rig.cni_config / name
    before = path.read_text() if path.exists() else None
    path.write_text(text)
    try:
        yield
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)


@contextmanager
def masqueraded_and_routed(rig: Rig) -> Iterator[None]:
    own = {"type": "host-local", "dataDir": "/run/x", "ranges": [[{"subnet": "10.77.1.0/24"}]]}
    conf = network(rig, name="routed", bridge="mpe7", ipMasq=True, ipam=own)
    subprocess.run(["ip", "link", "add", "mpe-peer", "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "addr", "add", "10.76.0.1/24", "dev", "mpe-peer"], check=True)
        subprocess.run(["ip", "link", "set", "mpe-peer", "up"], check=True)
        subprocess.run(["ip", "route", "add", "10.77.2.0/24", "via", "10.76.0.2"], check=True)
        with file(rig, "20-routed.conf", json.dumps(conf)):
            yield
    finally:
        subprocess.run(["ip", "link", "del", "mpe-peer"], check=True)


def held_address(holder: str) -> Callable[[Rig], AbstractContextManager[None]]:
    @contextmanager
    def broken(rig: Rig) -> Iterator[None]:
        path = rig.directory / "ipam" / NETWORK / "10.89.200.3"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{holder}\r\neth0")
        try:
            yield
            assert path.read_text().startswith(holder), "it is named, not touched"
        finally:
            path.unlink()

    return broken


def rule(*words: str) -> Callable[[Rig], AbstractContextManager[None]]:
    """In a chain of somebody else."""

    def iptables(*arguments: str) -> None:
        subprocess.run(["iptables", "-t", "nat", *arguments], check=True)

    @contextmanager
    def broken(_: Rig) -> Iterator[None]:
        iptables("-N", "OTHERS")
        try:
            iptables("-A", "OTHERS", *words)
            yield
        finally:
            iptables("-F", "OTHERS")
            iptables("-X", "OTHERS")

    return broken


@contextmanager
def damaged_record(rig: Rig) -> Iterator[None]:
    folder = rig.directory / "state/cni/6f1c2a6e-7bb8-4e0c-9a49-1f0a2b3c4d5e/pod-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "eth0.json").write_text("{")
    try:
        yield
    finally:
        shutil.rmtree(folder.parent)


@contextmanager
def unready(rig: Rig) -> Iterator[None]:
    """A plugin of CNI 1.1.0 that says that it cannot attach now."""
    answer = '{"cniVersion": "1.1.0", "supportedVersions": ["1.1.0"]}'
    error = '{"cniVersion": "1.1.0", "code": 50, "msg": "no daemon"}'
    plugin = rig.directory / "unready/daemon-plugin"
    plugin.parent.mkdir()
    plugin.write_text(f"#!/bin/sh\n[ $CNI_COMMAND = STATUS ] || {{ echo '{answer}'; exit; }}\necho '{error}'; exit 1\n")
    plugin.chmod(0o755)
    listed = {"cniVersion": "1.1.0", "name": "daemon", "plugins": [{"type": plugin.name}]}
    try:
        with file(rig, "80.conflist", json.dumps(listed)):
            yield
    finally:
        shutil.rmtree(plugin.parent)


@contextmanager
def listener(_: Rig) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 31005)):
        yield


def changed(**changes: Any) -> Callable[[Rig], AbstractContextManager[None]]:
    return lambda rig: file(rig, "10-podnet.conf", json.dumps(network(rig, **changes)))


def added(file_name: str, **changes: Any) -> Callable[[Rig], AbstractContextManager[None]]:
    return lambda rig: file(rig, file_name, json.dumps(network(rig, **changes)))


def conflist(rig: Rig) -> AbstractContextManager[None]:
    plugin = {key: value for key, value in network(rig, bridge="mpe8").items() if key not in ("cniVersion", "name")}
    return file(rig, "30.conflist", json.dumps({"cniVersion": "1.0.0", "name": "listed", "plugins": [plugin]}))


NETWORKS: dict[str, tuple[Callable[[Rig], AbstractContextManager[None]], str, str, str]] = {
    "too-new": (changed(cniVersion="0.3.1"), "network.cni_version", "fail", "UnknownHostException"),
    "garbage": (lambda rig: file(rig, "40.conf", "{"), "network.configuration", "fail", "40.conf"),
    "two-of-a-name": (added("50.conf", bridge="mpe9"), "network.configuration", "fail", "more than once"),
    "shared-bridge": (added("60.conf", name="other"), "network.advice", "warn", "share a bridge"),
    "only-a-list": (conflist, "network.advice", "warn", "skips lists"),
    "lasting-ledger": (
        changed(ipam={"type": "host-local", "dataDir": "/var/lib/x", "subnet": "10.89.0.0/16"}),
        "network.advice", "warn", "over a reboot",
    ),
    "no-such-plugin": (
        added("70.conf", name="b", type="no-such-plugin"), "network.plugins", "fail", "70.conf needs no-such-plugin",
    ),
    "hidden-addresses": (masqueraded_and_routed, "network.masquerade", "warn", "10.77.2.0/24"),
    "one-subnet": (added("61.conf", name="other", bridge="mpe8"), "network.advice", "warn", "61.conf"),
    "another-data-dir": (
        added("51.conf", ipam={"type": "host-local", "dataDir": "/run/y", "subnet": "10.89.0.0/16"}),
        "network.configuration", "fail", "51.conf",
    ),
    "lost-pod": (held_address("pod-0123456789ab"), "network.ledger", "warn", "10.89.200.3"),
    "lost-task": (held_address("f3b1c0de-1111-2222-3333-444455556666"), "network.ledger", "warn", "10.89.200.3"),
    "lost-rule": (
        rule("-m", "comment", "--comment", 'name: "podnet" id: "pod-0123456789ab"', "-j", "RETURN"),
        "network.rules", "warn", "pod-0123456789ab",
    ),
    "damaged-record": (damaged_record, "network.records", "warn", "pod-0123456789ab/eth0.json"),
    "unready": (unready, "network.status", "fail", "no daemon (code 50)"),
    "listened-port": (listener, "agent.ports_in_use", "warn", "31005"),
    "mapped-port": (
        rule("-p", "tcp", "--dport", "31006", "-j", "DNAT", "--to-destination", "192.0.2.1:80"),
        "agent.ports_in_use", "warn", "31006 (a rule in chain OTHERS)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_does_harm(rig: Rig, name: str) -> None:
    broken, check, verdict, words = NETWORKS[name]
    with broken(rig):
        plugin_dirs = f"/usr/lib/cni,{rig.directory}/unready"
        _, document = examine(rig, "--agent", rig.agent.endpoint, CNI_PLUGIN_DIRS=plugin_dirs)
    found = complaints(document)
    assert found[check]["verdict"] == verdict, found
    assert words in found[check]["message"]
    assert complaints(examine(rig, "--agent", rig.agent.endpoint)[1]) == {}, "it is in order again"
