"""OCI documents for the bare calls: the least that runc needs, or the executor's own for the same command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Document = Callable[[str, Path], dict[str, Any]]
"""From the name of a pod and the path of its network namespace."""
DENY_ALL = {"allow": False, "access": "rwm"}


def minimal(cgroup: str, command: tuple[str, ...]) -> Document:
    """As little as runc needs for the same isolation: no seccomp filter, no bind mounts."""
    plain = ["nosuid", "noexec", "nodev"]
    document = {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": list(command), "env": ["PATH=/bin"], "cwd": "/"},
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": plain},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*plain, "ro"]},
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "cgroup", "network")]}
        | {"resources": {"devices": [DENY_ALL]}},
    }
    return lambda name, netns: placed(document, f"{cgroup}/bare/{name}", netns)


def same(spec: bytes, cgroup: str, directory: Path) -> Document:
    """The document `spec` of a container that the executor has made. `directory` gets copies of the files that it
    mounts, since the executor removes them with the pod.
    """
    document = json.loads(spec)
    for number, mount in enumerate(document["mounts"]):
        if mount["type"] == "bind":
            source, copy = Path(mount["source"]), directory / f"mount-{number}"
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy)
            mount["source"] = str(copy)
    return lambda name, netns: placed(document, f"{cgroup}/bare/{name}", netns)


def placed(document: dict[str, Any], cgroup: str, netns: Path) -> dict[str, Any]:
    """A copy in this cgroup and network namespace; every other namespace is a new one."""
    kinds = [namespace["type"] for namespace in document["linux"]["namespaces"]]
    namespaces = [{"type": kind, **({"path": str(netns)} if kind == "network" else {})} for kind in kinds]
    return document | {"linux": document["linux"] | {"cgroupsPath": cgroup, "namespaces": namespaces}}
