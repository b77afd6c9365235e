"""`podman run --detach` with runc, podman's seccomp filter, and the network of the pods by CNI."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.peers.programs import PEERS, environment, find, many, run

_CONTAINERS = """\
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
{seccomp}
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
conmon_path = ["{conmon}"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["/usr/lib/cni"]
network_config_dir = "{networks}"
"""
_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{directory}/storage"
runroot = "{directory}/run"
"""
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


class Podman:
    """All that podman keeps is in `directory`; `network` is a CNI configuration. Raises NotInstalled."""

    def __init__(self, directory: Path, network: Mapping[str, Any], cgroup: str, command: Sequence[str]) -> None:
        self._podman, conmon = find("podman"), find("conmon")
        self._network, self._cgroup, self._command = str(network["name"]), cgroup, tuple(command)
        self._image = ""
        networks, policy = directory / "networks", directory / "home/.config/containers"
        for path in (networks, policy):
            path.mkdir(parents=True)
        plugin = {key: value for key, value in network.items() if key not in ("name", "cniVersion")}
        conflist = {"cniVersion": "0.4.0", "name": self._network, "plugins": [plugin]}
        (networks / "pods.conflist").write_text(json.dumps(conflist))
        (policy / "policy.json").write_text(json.dumps(_POLICY))
        profile = PEERS / "usr/share/containers/seccomp.json"
        seccomp = f'seccomp_profile = "{profile}"' if profile.exists() else ""
        configuration = _CONTAINERS.format(conmon=conmon, networks=networks, seccomp=seccomp)
        (directory / "containers.conf").write_text(configuration)
        (directory / "storage.conf").write_text(_STORAGE.format(directory=directory))
        self._environment = environment() | {
            "HOME": str(directory / "home"),
            "CONTAINERS_CONF": str(directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
        }

    def load(self, archive: Path) -> None:
        """The image of the containers."""
        self._image = run([self._podman, "load", "--quiet", "--input", str(archive)], self._environment).split()[-1]

    def up(self, names: Sequence[str]) -> None:
        what = [self._podman, "run", "--detach", "--network", self._network, "--cgroup-parent", self._cgroup]
        many([[*what, "--name", name, self._image, *self._command] for name in names], self._environment)

    def down(self, names: Sequence[str]) -> None:
        many([[self._podman, "rm", "--force", "--time", "0", name] for name in names], self._environment)
