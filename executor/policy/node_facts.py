"""What the configuration of a node tells its policy: values only, nothing is read from disk."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Final

from executor.config import DEFAULT_PATH, Config
from executor.policy.violations import NodeFacts

CONTAINERD: Final = ("/run/containerd", "/var/lib/containerd", "/etc/containerd")
"""Its state, its root and its configuration, unless the configuration names others."""
AGENT: Final = ("/var/lib/mesos", "/run/mesos", "/var/run/mesos")
"""The usual --work_dir of a Mesos agent, and its --runtime_dir, from where it takes back its containers."""
_FRAMEWORKS: Final = "/slaves/"


def of(config: Config, *, own_networks: Sequence[str] = (), sandbox: str = "") -> NodeFacts:
    """`own_networks` are the CNI networks that the executor itself is on, `sandbox` is its Mesos sandbox."""
    return NodeFacts(
        default_network="" if own_networks else config.cni.default_network,
        shares_network=not own_networks,
        protected=protected(config, sandbox),
    )


def protected(config: Config, sandbox: str = "") -> tuple[str, ...]:
    """Directories from which a pod could take over the node, other pods or their secrets: the executor's and
    containerd's, the programs that the executor runs as root, and the agent's work directory.
    """
    configured = (str(DEFAULT_PATH.parent), config.pods.seccomp_dir)
    own = (config.node.run_dir, config.node.state_dir, config.dns.hosts_dir, *configured)
    cni = (config.cni.config_dir, *config.cni.plugin_dirs)
    containerd = (*CONTAINERD, posixpath.dirname(config.containerd.address), config.images.content_dir)
    work_dir, below, _ = sandbox.partition(_FRAMEWORKS)
    agent = (*AGENT, work_dir) if below and work_dir else AGENT
    found = (*own, *containerd, *cni, *agent)
    return tuple(dict.fromkeys(posixpath.normpath(each) for each in found if each != "/"))
