"""What the configuration of a node tells its policy."""

from __future__ import annotations

from executor.config import load
from executor.policy import node_facts

SANDBOX = "/data/agent/slaves/S0/frameworks/F/executors/e/runs/r"


def test_directories_that_no_pod_gets() -> None:
    text = """
        [node]
        run_dir = "/run/own/"
        state_dir = "/srv/state"
        [containerd]
        address = "/opt/c/containerd.sock"
        [cni]
        plugin_dirs = ["/opt/plugins"]
        [images]
        content_dir = "/data/content"
    """
    found = node_facts.of(load(text, {}), sandbox=SANDBOX).protected
    own = {
        "/run/own",
        "/srv/state",
        "/opt/c",
        "/opt/plugins",
        "/data/content",
        "/data/agent",
        "/etc/mesos-pod-executor",
    }
    assert own <= set(found)
    assert {"/run/containerd", "/var/lib/containerd", "/run/mesos"} <= set(found)
    assert "/" not in found


def test_an_executor_on_its_own_networks_shares_these() -> None:
    config = load('[cni]\ndefault_network = "podnet"\n', {})
    alone = node_facts.of(config)
    assert (alone.default_network, alone.shares_network) == ("podnet", True)
    inside = node_facts.of(config, own_networks=("blue",))
    assert (inside.default_network, inside.shares_network) == ("", False)
