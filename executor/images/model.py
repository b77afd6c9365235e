"""What an image is to the rest of the program. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

PULLED_LABEL = "mesos-pod-executor/pulled"
"""On the record of an image that came from a registry: when. It can be fetched again."""
USED_LABEL = "mesos-pod-executor/used"
"""On the record of an image: when a launch last asked for it."""


NODE_ROOT = "/"
"""In the place of an image's name: the node's own file system."""


@dataclass(frozen=True)
class ImageConfig:
    """What an image says about running it (OCI image-spec, config.md). Absent lists are None, which is not empty."""

    env: tuple[tuple[str, str], ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str = ""
    user: str = ""
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """An image that is unpacked: `chain_id` is the committed snapshot to prepare containers from ("" for no layers)."""

    name: str
    digest: str
    chain_id: str
    config: ImageConfig

    @property
    def is_node(self) -> bool:
        """Whether it stands for the node's own file system (executor/oci/node_root.py)."""
        return self.name == NODE_ROOT


NODE = Image(NODE_ROOT, "", "", ImageConfig())
