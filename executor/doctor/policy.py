"""What the pods of each role may ask of this node, and what of that is a mistake of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from executor.config import Config
from executor.config.role_policy import Level, RolePolicy, is_within
from executor.doctor.finding import Finding, failed, passed, warned
from executor.policy.node_facts import protected

SECCOMP: Final = Path("/proc/sys/kernel/seccomp/actions_avail")
ROLES_SHOWN: Final = 20


def check(config: Config) -> list[Finding]:
    """The policies of all roles, their directories, the network of pods that name none, and seccomp."""
    roles = {"every other role": config.policy.default, **config.policy.roles}
    found = [*levels(roles), *networks(config.cni.default_network, roles)]
    return [*found, *_paths(roles, protected(config)), seccomp(_actions())]


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


def _paths(roles: dict[str, RolePolicy], own: tuple[str, ...]) -> Iterator[Finding]:
    for role, policy in roles.items():
        for allowed in policy.host_paths:
            if (inside := next((each for each in own if is_within(allowed.prefix, each)), None)) is not None:
                text = f"{role}: {allowed.prefix} in host_paths is never shown, it is in {inside}"
                yield failed("policy.host_paths", text, "take it out of [policy]")
            elif not Path(allowed.prefix).is_dir():
                text = f"{role}: {allowed.prefix} in host_paths is no directory of this node"
                yield warned("policy.host_paths", text, "make it, or take it out of [policy]")
        for device in policy.devices:
            if not Path(device).exists():
                text = f"{role}: {device} in devices is not on this node"
                yield warned("policy.devices", text, "load its driver, or take it out of [policy]")


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
