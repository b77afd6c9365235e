"""Where and how this node runs one container. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from executor.spec import capabilities

if TYPE_CHECKING:
    from executor.oci.users import UserIds


@dataclass(frozen=True)
class Device:
    """A device of the node. `type` is c or b, `mode` the permissions."""

    path: str
    type: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int

    def document(self) -> dict[str, object]:
        """As OCI's config-linux.md has it ("Devices")."""
        device = {"path": self.path, "type": self.type, "major": self.major, "minor": self.minor}
        return device | {"fileMode": self.mode, "uid": self.uid, "gid": self.gid}


@dataclass(frozen=True)
class GrantedDevice:
    """A device that a container may open, because it has it mounted."""

    device: Device
    read_only: bool = False

    def rule(self) -> dict[str, object]:
        """As OCI's config-linux.md has it ("Allowed Device list"): to read and write, not to make more of it."""
        access = "r" if self.read_only else "rw"
        device = self.device
        return {"allow": True, "type": device.type, "major": device.major, "minor": device.minor, "access": access}


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where and how the node runs one container. Paths are the node's.

    `netns_path` is the network namespace to join; None stays in containerd's. `pidns_path` is the PID namespace to
    join; None is one of its own. `user` is what the image makes of users.wanted, `downward` is needed where the
    environment has a RuntimeField.
    """

    cgroups_path: str
    pod_dir: Path
    hostname: str
    user: UserIds
    netns_path: Path | None = None
    owns_network: bool = False
    """Whether that namespace is the pod's alone."""
    pidns_path: Path | None = None
    ipcns_path: Path | None = None
    shm: Path | None = None
    """The pod's /dev/shm, and its IPC namespace; None is one of the container's own."""
    resolv_conf: Path | None = None
    hosts: Path | None = None
    hostname_file: Path | None = None
    unified: Mapping[str, str] = field(default_factory=dict)
    """Files of the container's cgroup, and what is to be written there; on v2 only."""
    oom_score_adj: int | None = None
    """Left as it is when None; without CAP_SYS_RESOURCE runc cannot lower it."""
    nofile: tuple[int, int] | None = None
    """RLIMIT_NOFILE, soft and hard; None: as the shim has it."""
    machine: str = ""
    """uname(1)'s, for the seccomp profile's other ABIs."""
    downward: Mapping[str, str] = field(default_factory=dict)
    mount_sources: tuple[Path, ...] = ()
    """The sources of each of the container's mounts, in their order."""
    image_volumes: Mapping[str, str] = field(default_factory=dict)
    """Directories of a read-only root that can be written to, and where each is mounted from."""
    node_root: tuple[tuple[str, str], ...] = ()
    """Where each directory of the node's root is in a container that has no image, and which one it is."""
    granted_devices: tuple[GrantedDevice, ...] = ()
    devices: tuple[Device, ...] = ()
    """What a privileged container finds in /dev beside what every container has."""
    seccomp: Mapping[str, object] | None = None
    """The operator's profile that the container names."""
    app_armor: str = ""
    """A profile that the kernel has; empty: none."""
    huge_page_sizes: tuple[int, ...] = ()
    """The sizes of huge pages of the node, in bytes, where its cgroups limit huge pages."""
    block_io: Mapping[str, object] = field(default_factory=dict)
    """Limits on the use of disks, as OCI's config-linux.md has them ("Block IO")."""
    has_selinux: bool = False
    bounding: frozenset[str] = frozenset(capabilities.EVERY)
    """Capabilities that there are on this node: what every one of them means."""
    can_mount_recursively_read_only: bool = True
    """Whether the kernel has mount_setattr(2)."""
