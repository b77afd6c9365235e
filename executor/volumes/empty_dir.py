"""emptyDir volumes: where they are on the node. Pure.

Source: Kubernetes, "Volumes", emptyDir.
"""

from __future__ import annotations

from pathlib import Path

from executor.spec.volume_model import EmptyDir

VOLUMES = "volumes"
"""Directory of the emptyDir volumes on disk, below the pod's in the Mesos sandbox."""
IMAGE_VOLUME = "_image-"
"""Begins the names of directories there for VOLUMEs of images; no volume of a pod can be called so."""
MEMORY = "memory"
"""Directory of those in memory, below the pod's directory of mounts."""
MODE = 0o777


def empty_dir_path(pod_dir: Path, volume: EmptyDir) -> Path:
    """The directory of a volume on disk, which the sandbox makes before the first container."""
    return pod_dir / VOLUMES / volume.name


def memory_bytes(volume: EmptyDir, mem_bytes: int) -> int | None:
    """The size of a volume in memory: its own limit or the pod's memory, the smaller of both. None: neither is there,
    and the kernel's default holds (half of the node's memory).
    """
    return min(filter(None, (volume.size_limit_bytes, mem_bytes)), default=None)


def memory_path(mounts_dir: Path, volume: EmptyDir) -> Path:
    """Where the tmpfs of a volume of medium Memory is mounted on the node."""
    return mounts_dir / MEMORY / volume.name
