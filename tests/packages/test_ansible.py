"""The Ansible role of the examples: a node gets everything by it, and a second run changes nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor.cni.config.catalog import Catalog
from executor.cni.config.lint import dangers
from tests.packages.conftest import Packages
from tests.packages.roots import DebianRoot
from tests.support.images import ImageSpec, write_archive
from tests.support.sources import ROOT

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

ANSIBLE = ROOT / ".build/ansible/packages"
EXAMPLE = ROOT / "packaging/examples/ansible"
RELEASE = "bookworm" if sys.version_info < (3, 12) else "trixie"
"""Its Python is this one, which Ansible's packages are for."""
IMAGE = "docker.io/library/busybox:test"
NETWORK = {"name": "pods", "bridge": "pods7", "subnet": "10.91.7.0/24"}
UNIT = "[Service]\nExecStart=/usr/sbin/mesos-agent\n"

# Two runs beside a containerd, and one as on cgroup v2, and what they made; systemd does not run in a root.
RUN = """
set -e
export PYTHONPATH=/tmp/ansible SYSTEMD_OFFLINE=1 ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1
containerd >/tmp/containerd.log 2>&1 &
playbook() {
    python3 -m ansible playbook --inventory localhost, --connection local --extra-vars @/tmp/vars/vars.json \
        -e ansible_python_interpreter=/usr/bin/python3 "$@" /tmp/example/site.yml
}
playbook
playbook
flags=/etc/systemd/system/mesos-slave.service.d/mesos-pod-executor.conf
cp "$flags" /v1.conf
playbook -e '{"mesos_pod_executor_unified": true}'
cp "$flags" /v2.conf
systemctl is-enabled mesos-pod-executor-lend.service || true
mesos-pod-executor check-config --json >/config.json
mesos-pod-executor images ls --json >/images.json
"""


@pytest.fixture(scope="module")
def root() -> Iterator[DebianRoot]:
    with DebianRoot(RELEASE) as made:
        yield made


def playbook(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ansible", "playbook", *arguments, str(EXAMPLE / "site.yml")]
    variables = {**os.environ, "PYTHONPATH": str(ANSIBLE), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)


def test_the_syntax() -> None:
    checked = playbook("--syntax-check", "--inventory", "localhost,")
    assert (checked.returncode, checked.stderr) == (0, "")


def variables(packages: Packages) -> dict[str, Any]:
    return {
        "mesos_pod_executor_package": f"/tmp/packages/{packages.deb.name}",
        "mesos_pod_executor_network": NETWORK,
        "mesos_pod_executor_unified": False,
        "mesos_pod_executor_mesos_programs": "/usr/libexec/mesos",
        "mesos_pod_executor_agent_flags": {"attributes": 'rack:7;note:50% "new"'},
        "mesos_pod_executor_image_archives": {IMAGE: "/tmp/vars/image.tar"},
    }


def test_a_node_gets_everything_and_a_second_run_changes_nothing(
    root: DebianRoot, packages: Packages, tmp_path: Path
) -> None:
    (tmp_path / "vars.json").write_text(json.dumps(variables(packages)))
    write_archive(tmp_path / "image.tar", ImageSpec(name=IMAGE))
    programs = root.path / "usr/libexec/mesos"
    programs.mkdir(parents=True)
    (programs / "mesos-containerizer").write_text("#!/bin/sh\n")
    (root.path / "etc/systemd/system/mesos-slave.service").write_text(UNIT)
    binds = {
        ANSIBLE: "/tmp/ansible",
        EXAMPLE: "/tmp/example",
        packages.directory: "/tmp/packages",
        tmp_path: "/tmp/vars",
    }
    ran = root.run("sh", "-c", RUN, binds=binds, timeout_s=240)

    first, second, as_v2 = re.findall(r"^localhost .* changed=(\d+) .* failed=0 ", ran, re.MULTILINE)
    assert (int(first) > 5, second, as_v2) == (True, "0", "1"), ran
    assert ran.splitlines()[-1] == "disabled"
    config = json.loads((root.path / "config.json").read_text())
    assert (config["cni"]["default_network"], config["cni"]["config_dir"]) == ("pods", "/etc/cni/net.d")
    (network,) = Catalog(root.path / "etc/cni/net.d").networks()
    assert (network.name, network.identity["bridge"], dangers([network])) == ("pods", NETWORK["bridge"], ())
    assert network.identity["ipam"]["ranges"] == [[{"subnet": NETWORK["subnet"]}]]
    assert flags(root.path / "v2.conf") == [
        'Environment="MESOS_ATTRIBUTES=rack:7;note:50%% \\"new\\""',
        'Environment="MESOS_ISOLATION=posix/cpu,posix/mem"',
        'Environment="MESOS_LAUNCHER=posix"',
        'Environment="MESOS_LAUNCHER_DIR=/var/lib/mesos-launcher"',
    ]
    assert flags(root.path / "v1.conf") == [
        'Environment="MESOS_ATTRIBUTES=rack:7;note:50%% \\"new\\""',
        'Environment="MESOS_ISOLATION=cgroups/cpu,cgroups/mem,filesystem/linux,network/cni"',
        'Environment="MESOS_LAUNCHER=linux"',
        'Environment="MESOS_LAUNCHER_DIR=/var/lib/mesos-launcher"',
        'Environment="MESOS_NETWORK_CNI_CONFIG_DIR=/etc/cni/net.d"',
        'Environment="MESOS_NETWORK_CNI_PLUGINS_DIR=/usr/lib/cni:/usr/libexec/cni:/opt/cni/bin"',
    ]
    executor = root.path / "var/lib/mesos-launcher/mesos-default-executor"
    assert str(executor.readlink()) == "/usr/bin/mesos-pod-executor"
    assert [image["name"] for image in json.loads((root.path / "images.json").read_text())["images"]] == [IMAGE]


def flags(drop_in: Path) -> list[str]:
    return [line for line in drop_in.read_text().splitlines() if line.startswith("Environment")]
