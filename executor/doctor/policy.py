"""What the pods of each role may ask of this node, and what of that is a mistake of the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from executor.config import Config
from executor.config.role_policy import Level, RolePolicy, is_within
from executor.doctor.finding import Finding, failed, passed, warned
from executor.own_directory import Opened
from executor.policy.grants import KERNEL
from executor.policy.node_facts import protected
from executor.spec.capabilities import ALL, EVERY
from executor.volumes.closed_directories import ClosedDirectories

SECCOMP: Final = Path("/proc/sys/kernel/seccomp/actions_avail")
ROLES_SHOWN: Final = 20


def check(config: Config) -> list[Finding]:
    """The policies of all roles, their directories, the network of pods that name none, and seccomp."""
    roles = {"every other role": config.policy.default, **config.policy.roles}
    found = [*levels(roles), *networks(config.cni.default_network, roles)]
    return [*found, *capabilities(roles), *_paths(roles, protected(config)), seccomp(_actions())]


def levels(roles: dict[str, RolePolicy]) -> Iterator[Finding]:
    """What is in force. Pure."""
    shown = "; ".join(f"{role}: {policy}" for role, policy in list(roles.items())[:ROLES_SHOWN])
    yield passed(
        "policy.levels", shown if len(roles) <= ROLES_SHOWN else f"{shown}; and {len(roles) - ROLES_SHOWN} more"
    )
    wide = [role for role, policy in roles.items() if policy.level is Level.PRIVILEGED]
    if wide:
        text = f"a pod of these roles can do anything on this node: {', '.join(wide[:ROLES_SHOWN])}"
        yield warned("policy.privileged", text, "give them baseline and the lists that they need, in [policy]")


def networks(default_network: str, roles: dict[str, RolePolicy]) -> Iterator[Finding]:
    """What becomes of a pod that names no network. Pure."""
    if default_network:
        return
    shares = [role for role, policy in roles.items() if policy.host_network or policy.level is Level.PRIVILEGED]
    hint = "set [cni] default_network to a CNI network, or to none: loopback only"
    if len(shares) < len(roles):
        yield warned("policy.network", "pods of some roles that name no network are refused", hint)
    if shares:
        text = f"pods of these roles that name no network share the node's: {', '.join(shares[:ROLES_SHOWN])}"
        yield warned("policy.network", text, hint)


def capabilities(roles: dict[str, RolePolicy]) -> Iterator[Finding]:
    """Names that no pod can have asked for. Pure."""
    known = {*EVERY, ALL}
    for role, policy in roles.items():
        for name in policy.capabilities:
            if f"CAP_{name}" not in known:
                text = f"{role}: {name} in capabilities is not a capability of Linux, and allows nothing"
                yield warned("policy.capabilities", text, "correct it in [policy]; capabilities(7) has the names")


def _paths(roles: dict[str, RolePolicy], own: tuple[str, ...]) -> Iterator[Finding]:
    for role, policy in roles.items():
        for allowed in policy.host_paths:
            if (inside := next((each for each in own if is_within(allowed.prefix, each)), None)) is not None:
                text = f"{role}: {allowed.prefix} in host_paths is never shown, it is in {inside}"
                yield failed("policy.host_paths", text, "take it out of [policy]")
            elif not Path(allowed.prefix).is_dir():
                text = f"{role}: {allowed.prefix} in host_paths is not a directory of this node"
                yield warned("policy.host_paths", text, "make it, or take it out of [policy]")
            elif (shown := _shown(allowed.prefix, own)) is not None:
                text = f"{role}: {allowed.prefix} in host_paths would show {shown}, so no pod gets it as a whole"
                yield warned("policy.host_paths", text, "list the directories in it that pods need")
        for device in policy.devices:
            if not Path(device).exists():
                text = f"{role}: {device} in devices is not on this node"
                yield warned("policy.devices", text, "load its driver, or take it out of [policy]")


def _shown(directory: str, own: tuple[str, ...]) -> str | None:
    """A directory that no pod gets and that is in `directory`, or is mounted there; None: there is none."""
    try:
        with Opened(os.open(directory, os.O_PATH | os.O_CLOEXEC)) as found:
            return ClosedDirectories((*own, *KERNEL)).shown_by(found, around=True)
    except OSError:
        return None


def _actions() -> str:
    try:
        return SECCOMP.read_text()
    except OSError:
        return ""


def seccomp(actions: str) -> Finding:
    """`actions` are the kernel's (seccomp(2)), empty where it has no filters. Pure."""
    if "errno" in actions.split():
        return passed("policy.seccomp", "containers are confined by the executor's seccomp profile")
    return failed("policy.seccomp", "the kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER")
