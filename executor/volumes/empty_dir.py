"""emptyDir volumes: where they lie on the node. Pure.

Source: Kubernetes, "Volumes", emptyDir.
"""

from __future__ import annotations

from pathlib import Path

from executor.spec.model import EmptyDir

VOLUMES = "volumes"
"""Directory of the emptyDir volumes, below the pod's."""


def empty_dir_path(pod_dir: Path, volume: EmptyDir) -> Path:
    """Where a volume's directory is on the node; the sandbox makes it before the first container."""
    return pod_dir / VOLUMES / volume.name
