"""`doctor` on a healthy node, and on the same node with each thing really broken that it can be broken of.

What is broken below the file system is broken in a mount namespace of the command's own; the rest is put right again
by the test that broke it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.cluster import MesosAgent
from tests.support.rig import NETWORK, OPTIONS, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

HOST = frozenset({"kernel.cap_sys_resource", "node.clock_synchronised", "agent.executor_shutdown_grace_period"})
"""What may be amiss on the machine that tests run on."""
Check = dict[str, str]


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """Without names: these are tested with a real server elsewhere."""
    with Rig(config={"DNS_ENABLED": "false"}) as node:
        yield node


@pytest.fixture(scope="module")
def poor_agent(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> MesosAgent:
    """Every flag that doctor has something against."""
    resources = "cpus:1;mem:512;ports:[40000-41000]"
    options = replace(OPTIONS, launcher="posix", revocable_cpu_low_priority=True, resources=resources)
    options = replace(options, cni_config_dir=tmp_path_factory.mktemp("net.d"))
    options = replace(options, cni_plugins_dir=tmp_path_factory.mktemp("no-plugins"))
    return rig.cluster.add_agent(replace(options, executor_reregistration_timeout_s=1.0))


def examine(rig: Rig, *arguments: str, within: str = "", **config: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of doctor; `within` is a shell command run before it, in mounts of its own."""
    variables = {f"MESOS_POD_EXECUTOR_{name}": value for name, value in config.items()}
    environment = {**os.environ, **rig.environment(), **variables}
    line = [*rig.program, "doctor", "--json", *arguments]
    if within:
        line = ["unshare", "--mount", "sh", "-ec", f'{within}\nexec "$@"', "sh", *line]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def complaints(document: dict[str, Any]) -> dict[str, Check]:
    """What is neither in order nor the machine's own."""
    bad = [check for check in document["checks"] if check["verdict"] in ("warn", "fail")]
    assert all(check["mend"] for check in bad), "a complaint says what to do"
    bad.sort(key=lambda check: check["verdict"] == "fail")
    found: dict[str, Check] = {}
    for check in bad:
        if (name := check["check"]) not in HOST:  # of several findings of one check, the worst, and every word
            before = found[name]["message"] if name in found else ""
            found[name] = check | {"message": f"{before}\n{check['message']}"}
    return found


def test_a_healthy_node(rig: Rig) -> None:
    code, document = examine(rig, "--agent", rig.agent.endpoint)
    assert complaints(document) == {}
    assert code == 0
    assert {check["check"].split(".")[0] for check in document["checks"]} == {
        "kernel", "cgroups", "containerd", "network", "dns", "agent", "node",
    }  # fmt: skip
    assert not rig.cgroups(), "the scratch group is gone"


def test_it_reads_well(rig: Rig) -> None:
    done = rig.command("doctor", "--quiet", "--agent", rig.agent.endpoint)
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"this node: (pass|warn) \((\d+ (pass|warn|skip)(, |\))){2,3}", lines[-1]), lines[-1]
    assert not [line for line in lines if line.startswith("pass")]
    whole = rig.command("doctor", "--agent", rig.agent.endpoint).stdout.splitlines()[:-1]
    form = r"(pass|warn|skip)  (kernel|cgroups|containerd|network|dns|agent|node)\.[\w.]+: \S.*|      mend: \S.*"
    assert [line for line in whole if not re.fullmatch(form, line)] == []


@dataclass(frozen=True)
class Broken:
    check: str
    verdict: str
    within: str = ""
    """A shell command in mounts of doctor's own."""
    config: dict[str, str] = field(default_factory=dict)


def hidden(program: str) -> str:
    return f"mount --bind /dev/null $(command -v {program})"


FULL = "mkdir -p /tmp/full; mount -t tmpfs -o size=1M none /tmp/full"
READ_ONLY = "mkdir -p /tmp/ro; mount -t tmpfs -o ro none /tmp/ro"
BROKEN = {
    "no-cgroup2": Broken("cgroups.mode", "warn", "umount /sys/fs/cgroup/unified"),
    "no-memory": Broken("cgroups.memory", "fail", "umount /sys/fs/cgroup/memory"),
    "no-cpu": Broken("cgroups.cpu", "fail", "umount $(findmnt -no TARGET -t cgroup -O cpu)"),
    "no-pids": Broken("cgroups.pids", "warn", "umount $(findmnt -no TARGET -t cgroup -O pids)"),
    "no-freezer": Broken("cgroups.freezer", "warn", "umount $(findmnt -no TARGET -t cgroup -O freezer)"),
    "no-pidfds": Broken(
        "kernel.pidfd", "warn", 'set -- strace -f -qq -o /dev/null -e inject=pidfd_open:error=ENOSYS "$@"'
    ),
    "read-only-cgroups": Broken(
        "cgroups.delegation", "fail", "mount -o remount,bind,ro $(findmnt -no TARGET -t cgroup | head -1)"
    ),
    "no-psi": Broken("kernel.psi", "warn", "mount -t tmpfs none /proc/pressure"),
    "no-overlayfs": Broken(
        "kernel.overlayfs", "fail", "echo nodev proc > /tmp/fs; mount --bind /tmp/fs /proc/filesystems"
    ),
    "no-runc": Broken("containerd.runc", "fail", hidden("runc")),
    "broken-runc": Broken("containerd.runc", "fail", "mount --bind /bin/false $(command -v runc)"),
    "no-shim": Broken("containerd.shim", "fail", hidden("containerd-shim-runc-v2")),
    "no-containerd": Broken("containerd.reachable", "fail", config={"CONTAINERD_ADDRESS": "/nowhere.sock"}),
    "no-image": Broken("containerd.default_image", "warn", config={"PODS_DEFAULT_IMAGE": "docker.io/library/no:1"}),
    "no-network": Broken("network.default", "fail", config={"CNI_DEFAULT_NETWORK": "nowhere"}),
    "no-configuration": Broken(
        "network.configuration", "warn", "", {"CNI_CONFIG_DIR": "/nowhere", "CNI_DEFAULT_NETWORK": ""}
    ),
    "no-plugins": Broken("network.plugins", "fail", config={"CNI_PLUGIN_DIRS": "/nowhere"}),
    "no-iptables": Broken("network.iptables", "warn", hidden("iptables")),
    "no-servers": Broken("dns.servers", "warn", config={"DNS_ENABLED": "true"}),
    "no-dnsmasq": Broken("dns.dnsmasq", "warn", hidden("dnsmasq"), {"DNS_ENABLED": "true"}),
    "silent-names": Broken("dns.server.127.0.0.9", "warn", "", {"DNS_ENABLED": "true", "DNS_LISTEN": "127.0.0.9"}),
    "small-disk": Broken("node.state_dir_space", "fail", FULL, {"NODE_STATE_DIR": "/tmp/full"}),
    "read-only-state": Broken("node.state_dir", "fail", READ_ONLY, {"NODE_STATE_DIR": "/tmp/ro"}),
    "long-path": Broken("node.run_dir_length", "fail", config={"NODE_RUN_DIR": "/tmp/" + "x" * 70}),
    "no-agent": Broken("agent.flags", "fail"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_thing_broken(rig: Rig, name: str) -> None:
    broken = BROKEN[name]
    endpoint = "127.0.0.1:1" if name == "no-agent" else rig.agent.endpoint
    code, document = examine(rig, "--agent", endpoint, within=broken.within, **broken.config)
    found = complaints(document)
    assert found[broken.check]["verdict"] == broken.verdict, found
    assert code == (1 if broken.verdict == "fail" else 0)


def test_without_cap_sys_admin(rig: Rig) -> None:
    line = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", *rig.program, "doctor", "--json"]
    done = subprocess.run(line, env={**os.environ, **rig.environment()}, capture_output=True, text=True, check=False)
    assert complaints(json.loads(done.stdout))["kernel.cap_sys_admin"]["verdict"] == "fail"


# --- networks ------------------------------------------------------------------------------------------------


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


# --- the agent, and the dead ---------------------------------------------------------------------------------


def test_an_agent_whose_flags_do_harm(rig: Rig, poor_agent: MesosAgent, tmp_path: Path) -> None:
    root = f"{poor_agent.cgroups_root}/executors"
    code, document = examine(rig, "--agent", poor_agent.endpoint, CGROUPS_ROOT=root, CGROUPS_GUARD_WEIGHT="false")
    found = complaints(document)
    assert {check: each["verdict"] for check, each in found.items() if check.startswith("agent.")} == {
        "agent.isolation": "warn",
        "agent.revocable_cpu_low_priority": "warn",
        "agent.executor_reregistration_timeout": "warn",
        "agent.ports": "warn",
        "agent.cni_config_dir": "fail",
        "agent.cni_plugins_dir": "fail",
    }
    for words in ("10-podnet.conf needs bridge, host-local", "no-plugins"):
        assert words in found["agent.cni_plugins_dir"]["message"]
    assert "nothing restores it" in found["agent.revocable_cpu_low_priority"]["message"]
    assert "40000-41000" in found["agent.ports"]["message"]
    assert code == 1


def test_left_overs_of_a_dead_executor(rig: Rig) -> None:
    rig.run_dir.mkdir(exist_ok=True)
    owner = rig.run_dir / "11111111-2222-3333-4444-555555555555.owner"
    owner.write_text('{"cgroup_root": "", "pid": 0}')
    assert complaints(examine(rig)[1])["node.left_overs"]["mend"] == "mesos-pod-executor gc"
    rig.command("gc")
    assert complaints(examine(rig)[1]) == {}
