"""`doctor` on a healthy node, and on the same node with each thing really broken that it can be broken of.

What is broken below the file system is broken in a mount namespace of the command's own; the rest is put right again
by the test that broke it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.mesos.doctor.examination import complaints, examine
from tests.support.mesos.cluster import MesosAgent
from tests.support.rig import OPTIONS, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]


@pytest.fixture(scope="module")
def poor_agent(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> MesosAgent:
    """Every flag that doctor has something against."""
    resources = "cpus:1;mem:512;ports:[40000-41000]"
    options = replace(OPTIONS, launcher="posix", revocable_cpu_low_priority=True, resources=resources)
    options = replace(options, cni_config_dir=tmp_path_factory.mktemp("net.d"))
    options = replace(options, cni_plugins_dir=tmp_path_factory.mktemp("no-plugins"))
    return rig.cluster.add_agent(replace(options, executor_reregistration_timeout_s=1.0))


def test_a_healthy_node(rig: Rig) -> None:
    code, document = examine(rig, "--agent", rig.agent.endpoint)
    assert complaints(document) == {}
    assert code == 0
    assert {check["check"].split(".")[0] for check in document["checks"]} == {
        "kernel", "cgroups", "containerd", "network", "policy", "dns", "agent", "node", "pods",
    }  # fmt: skip
    assert not rig.cgroups(), "the scratch group is gone"


def test_the_runc_of_this_node_is_tried_and_leaves_nothing(rig: Rig) -> None:
    def there() -> set[str]:
        return {
            str(path) for path in (*Path("/sys/fs/cgroup").glob("*/*doctor*"), *rig.directory.parent.glob("*doctor*"))
        }

    _, document = examine(rig)
    (found,) = [check for check in document["checks"] if check["check"] == "containerd.runc_masks"]
    assert found["verdict"] in ("warn", "pass"), found
    assert there() == set()


def test_it_leaves_its_standard_input_to_its_caller(rig: Rig) -> None:
    """As in `while read -r host; do ...; done <hosts`: what it starts would read the lines that the loop waits for."""
    line = ["sh", "-c", '"$@" >/dev/null 2>&1; cat', "sh", *rig.program, "doctor"]
    environment = {**os.environ, **rig.environment()}
    done = subprocess.run(line, env=environment, input="next\n", capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "next\n"


def test_it_reads_well(rig: Rig) -> None:
    done = rig.command("doctor", "--quiet", "--agent", rig.agent.endpoint)
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"this node: (pass|warn) \((\d+ (pass|warn|skip)(, |\))){2,3}", lines[-1]), lines[-1]
    assert not [line for line in lines if line.startswith("pass")]
    whole = rig.command("doctor", "--agent", rig.agent.endpoint).stdout.splitlines()[:-1]
    area = "kernel|cgroups|containerd|network|policy|dns|agent|node|pods"
    form = rf"(pass|warn|skip)  ({area})\.[\w.]+: \S.*|      hint: \S.*"
    assert [line for line in whole if not re.fullmatch(form, line)] == []


@dataclass(frozen=True)
class Broken:
    check: str
    verdict: str
    within: str = ""
    """A shell command in mounts of doctor's own."""
    config: dict[str, str] = field(default_factory=dict)


def hidden(program: str) -> str:
    """The installed one, also where the tests run with a containerd of their own."""
    return f"PATH=/usr/sbin:/usr/bin:/sbin:/bin; mount --bind /dev/null $(command -v {program})"


FULL = "mkdir -p /tmp/full; mount -t tmpfs -o size=1M none /tmp/full"
READ_ONLY = "mkdir -p /tmp/ro; mount -t tmpfs -o ro none /tmp/ro"
WITHOUT_NFT = "! command -v nft >/dev/null || mount --bind /dev/null $(command -v nft)"
"""Newer CNI plugins need iptables only where it is missing too, and not every machine has it."""
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
    "no-openat2": Broken(
        "kernel.openat2", "warn", 'set -- strace -f -qq -o /dev/null -e inject=openat2:error=ENOSYS "$@"'
    ),
    "panics": Broken(
        "kernel.panic_on_oom", "fail", "echo 2 > /tmp/panic; mount --bind /tmp/panic /proc/sys/vm/panic_on_oom"
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
    "no-iptables": Broken("network.iptables", "warn", f"{hidden('iptables')}; {WITHOUT_NFT}"),
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
    assert complaints(examine(rig)[1])["node.left_overs"]["hint"] == "mesos-pod-executor gc"
    rig.command("gc")
    assert complaints(examine(rig)[1]) == {}
