"""The policy of a role: how it is written, and what is no policy."""

from __future__ import annotations

from typing import Any

import pytest

from executor.config.policy import PolicySection
from executor.config.role_policy import AllowedPath, Level, RolePolicy


@pytest.mark.parametrize("level", Level)
def test_a_level_is_a_policy(level: Level) -> None:
    assert RolePolicy.of(level.value) == RolePolicy(level)
    assert str(RolePolicy.of(level.value)) == level.value


def test_a_table_and_its_text_are_the_same() -> None:
    table = {"level": "restricted", "host_paths": ["/srv", "/opt/x:ro"], "networks": ["a"], "static_addresses": True}
    text = '{level = "restricted", host_paths = ["/srv", "/opt/x:ro"], networks = ["a"], static_addresses = true}'
    made = RolePolicy.of(table)
    assert RolePolicy.of(text) == made
    assert made.host_paths == (AllowedPath("/srv"), AllowedPath("/opt/x", read_only=True))
    assert str(made) == "restricted host_paths=/srv,/opt/x:ro networks=a static_addresses=true"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("strict", "privileged, baseline or restricted"),
        (3, "privileged, baseline or restricted"),
        ({"level": ["baseline"]}, "privileged, baseline or restricted"),
        ("{level = ", "table"),
        ({"hostpaths": []}, r"hostpaths is not a key of a policy: did you mean host_paths\?"),
        ({"zzz": []}, "zzz is not a key of a policy: known are level, host_paths"),
        ({"host_paths": "/srv"}, "host_paths must be a list"),
        ({"host_paths": ["srv"]}, "absolute path"),
        ({"host_paths": ["/"]}, "absolute path"),
        ({"host_paths": ["/srv/../etc"]}, "absolute path"),
        ({"host_paths": ["/proc/sys"]}, "absolute path"),
        ({"host_paths": ["/dev"]}, "absolute path"),
        ({"host_paths": ["/sys:ro"]}, "absolute path"),
        ({"host_paths": [f"/{number}" for number in range(101)]}, "at most 100"),
        ({"devices": ["/srv/x"]}, "path of a device"),
        ({"devices": ["/dev"]}, "path of a device"),
        ({"capabilities": ["net_admin"]}, "not a capability"),
        ({"capabilities": ["CAP_NET_ADMIN"]}, "capabilities: 'CAP_NET_ADMIN' is not a capability.* without CAP_"),
        ({"sysctls": ["net/core"]}, "not a sysctl"),
        ({"sysctls": ["*"]}, "not a sysctl"),
        ({"host_network": "yes"}, "true or false"),
        ({"networks": [""]}, "networks must be a list"),
        ({"level": "privileged", "host_paths": ["/srv"]}, "needs no host_paths"),
    ],
)
def test_what_is_no_policy(value: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        RolePolicy.of(value)


def test_the_nearest_role_counts() -> None:
    section = PolicySection(
        RolePolicy(Level.RESTRICTED), {"eng": RolePolicy(Level.BASELINE), "eng/dev": RolePolicy(Level.PRIVILEGED)}
    )
    levels = {role: section.of(role).level for role in ("*", "eng", "eng/ops/x", "eng/dev", "eng/dev/a", "engine")}
    assert levels == {
        "*": Level.RESTRICTED,
        "eng": Level.BASELINE,
        "eng/ops/x": Level.BASELINE,
        "eng/dev": Level.PRIVILEGED,
        "eng/dev/a": Level.PRIVILEGED,
        "engine": Level.RESTRICTED,
    }
