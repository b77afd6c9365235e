"""The executor's configuration.

sections.py      every section and key, with its default, its limits and its meaning; `load` and `read`
                 the larger ones: cgroups.py, disk.py, images.py, lending.py, pods.py, policy.py, retention.py
io_limits.py     how much of a disk revocable pods may use
role_limit.py    how much of the node a role may use; role_policy.py: what its pods may ask of the node
key.py           one key: default, meaning, limits
values.py        decoding of TOML and of environment variables, and the commented default file
checks.py        limits that no type can say
trust.py         which key a framework may set by a variable
for_executor.py  the configuration of an executor that an agent started
file.py          reading a configuration file
"""

from executor.config.cgroups import CgroupsSection
from executor.config.pods import PodsSection
from executor.config.sections import (
    DEFAULT_PATH,
    CniSection,
    Config,
    ContainerdSection,
    ControlSection,
    DnsSection,
    LogSection,
    NodeSection,
    PressureSection,
    RevocationSection,
    RolesSection,
    build,
    load,
    read,
    sections,
)

__all__ = [
    "DEFAULT_PATH", "CgroupsSection", "CniSection", "Config", "ContainerdSection", "ControlSection", "DnsSection",
    "LogSection", "NodeSection", "PodsSection", "PressureSection", "RevocationSection", "RolesSection", "build", "load",
    "read", "sections",
]  # fmt: skip
