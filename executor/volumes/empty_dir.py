"""emptyDir volumes: where they lie on the node.

Source: Kubernetes, "Volumes", emptyDir.
"""

from __future__ import annotations

import os
from pathlib import Path

from executor.own_directory import Opened, make_directory, open_directory
from executor.spec.model import EmptyDir

VOLUMES = "volumes"
"""Directory of the emptyDir volumes, below the pod's."""


def empty_dir_path(pod_dir: Path, volume: EmptyDir) -> Path:
    """Where a volume's directory is on the node; the runner makes it before the first container."""
    return pod_dir / VOLUMES / volume.name


def make(pod_dir: int, volume: EmptyDir) -> None:
    """The volume's directory, for every user; `pod_dir` is a descriptor. Idempotent. Raises OSError."""
    make_directory(pod_dir, VOLUMES)
    with Opened(open_directory(pod_dir, VOLUMES)) as volumes:
        make_directory(volumes, volume.name)
        with Opened(open_directory(volumes, volume.name)) as directory:
            os.chmod(directory, 0o777)  # noqa: S103 as in Kubernetes
