"""The readers of foreign input, by name. Each takes bytes, and raises what its docstring says is raised for bad ones;
anything else is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.fuzz import images, mesos, node, node_seeds, pods, seeds


@dataclass(frozen=True)
class Target:
    """`read` takes any bytes. `seeds` are good inputs; `is_json`: they are changed by their structure, too."""

    read: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    is_json: bool = True
    weight: int = 1
    """Its part of the time."""


TARGETS: Mapping[str, Target] = {
    "pod-json": Target(pods.pod, seeds.pods_json, weight=4),
    "pod-yaml": Target(pods.pod, seeds.pods_yaml, is_json=False, weight=2),
    "taskinfo": Target(pods.task, seeds.tasks, weight=2),
    "taskgroup": Target(pods.group, seeds.groups, weight=2),
    "executorinfo": Target(pods.executor_info, seeds.executors),
    "event": Target(mesos.event, seeds.events),
    "message": Target(mesos.message, seeds.messages),
    "recordio": Target(mesos.recordio, seeds.streams, is_json=False),
    "control": Target(node.control, node_seeds.requests, is_json=False),
    "image-document": Target(images.image_document, node_seeds.image_documents),
    "archive": Target(images.archive, node_seeds.archives, is_json=False),
    "archived-documents": Target(images.archived_documents, node_seeds.archived_documents),
    "accounts": Target(images.accounts, node_seeds.accounts, is_json=False),
    "cni-result": Target(node.cni_result, node_seeds.cni_results),
    "cni-config": Target(node.cni_config, node_seeds.cni_configs),
    "journal": Target(node.journal, node_seeds.journals),
    "cgroup-files": Target(node.cgroup_files, node_seeds.cgroup_names, is_json=False),
    "config-toml": Target(node.config_toml, node_seeds.config_files, is_json=False),
    "config-variable": Target(node.config_variable, node_seeds.config_variables, is_json=False),
    "hosts-toml": Target(images.hosts_toml, node_seeds.hosts_files, is_json=False),
    "docker-config": Target(images.docker_config, node_seeds.docker_configs),
    "registry-words": Target(images.registry_words, node_seeds.registry_words, is_json=False),
    "node-texts": Target(node.node_texts, node_seeds.node_texts, is_json=False),
}
