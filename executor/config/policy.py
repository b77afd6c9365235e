"""The configuration section [policy]. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from executor.config.key import key
from executor.config.role_policy import RolePolicy


@dataclass(frozen=True)
class PolicySection:
    """What pods may ask of the node: Kubernetes' Pod Security Standards for each role, and what is allowed besides."""

    default: RolePolicy = key(  # noqa: RUF009 # a frozen value
        RolePolicy(),
        'Policy of a role that is not in roles: "privileged", "baseline" or "restricted", or a table {level = '
        '"baseline", host_paths = ["/srv/data", "/opt/tools:ro"], host_network = false, host_ports = true, '
        "capabilities = [], sysctls = [], devices = [], networks = [...], static_addresses = false}.",
    )
    roles: Mapping[str, RolePolicy] = key(
        MappingProxyType({}),
        "Policy of a role and of the roles below it, each as in default. A pod has that of the longest name, alone.",
        roles=True,
    )

    def of(self, role: str) -> RolePolicy:
        """The policy of the nearest role that is listed, from `role` upwards, or else the default."""
        while role:
            if (found := self.roles.get(role)) is not None:
                return found
            role = role.rpartition("/")[0]
        return self.default
