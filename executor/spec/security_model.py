"""Who a container's processes are and what they may do, as part of `executor.spec.model`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SeLinux:
    """What a pod asks for; an empty part is the runtime's default."""

    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""

    @property
    def label(self) -> str:
        """user:role:type:level, complete."""
        parts = (self.user or "system_u", self.role or "system_r", self.type or "container_t", self.level or "s0")
        return ":".join(parts)


@dataclass(frozen=True)
class Security:
    """One container's, with what the pod sets for all of them merged in. Capabilities are written as CAP_KILL."""

    user: str = ""
    """User of the image's /etc/passwd or number that replaces the image's own user; `run_as_user` wins over it."""
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool = False
    supplemental_groups: tuple[int, ...] = ()
    read_only_root: bool = False
    no_new_privileges: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    """CAP_ALL stands for every one, here and in `add_capabilities`."""
    privileged: bool = False
    """Every capability and device, and nothing of the kernel's hidden."""
    proc_unmasked: bool = False
    selinux: SeLinux | None = None
    """The label of the processes, on a node that has SELinux."""
    seccomp: str = ""
    """RuntimeDefault, Unconfined, Localhost, or empty: the pod names none, and gets RuntimeDefault unless it is
    privileged.
    """
    seccomp_file: str = ""
    """The profile of Localhost, below the node's directory of profiles."""
    app_armor: str = ""
    """RuntimeDefault, Unconfined, Localhost, or empty: the pod names none, which means RuntimeDefault."""
    app_armor_profile: str = ""
    """The profile of Localhost."""
    host_process: bool = field(default=False, compare=False)
    """Windows' hostProcess; only the policy reads it."""


DEFAULT_SECURITY = Security()
"""The security context of a container that asks for nothing."""
