"""Known holes of runc and containerd through which a pod reaches its node, by version. Pure.

Sources: the security advisories of github.com/opencontainers/runc and github.com/containerd/containerd. A distribution
corrects holes in its own revisions of an older version, which its version tells: 1.1.5+ds1-1+deb12u1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from executor.doctor.finding import Finding, passed, warned

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Hole:
    """`fixed` has the first version without it of each series that got one, in their order."""

    name: str
    what: str
    fixed: Sequence[Version]

    def is_in(self, version: Version) -> bool:
        """Whether an upstream version has it."""
        own = [each for each in self.fixed if each[:2] == version[:2]]
        return version < own[0] if own else version < self.fixed[-1]


RUNC: Final = (
    Hole("CVE-2024-21626", "a working directory leads to the node's root file system", ((1, 1, 12),)),
    Hole("CVE-2025-31133", "a masked path becomes a mount of the node", ((1, 2, 8), (1, 3, 3), (1, 4, 0))),
    Hole("CVE-2025-52881", "writes to /proc are led elsewhere", ((1, 2, 8), (1, 3, 3), (1, 4, 0))),
)
CONTAINERD: Final = (
    Hole("CVE-2023-25173", "supplementary groups of a container are not set", ((1, 5, 18), (1, 6, 18))),
    Hole("CVE-2024-40635", "a user id that is too large becomes root", ((1, 6, 38), (1, 7, 27), (2, 0, 4))),
    Hole("CVE-2024-25621", "users of the node may read containerd's directories", ((1, 7, 29), (2, 0, 7), (2, 1, 5))),
)
KNOWN: Final[Mapping[str, Sequence[Hole]]] = {"runc": RUNC, "containerd": CONTAINERD}
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(-(?:alpha|beta|rc)[.\d]*)?([^\s]*)")
_DISTRIBUTION: Final = re.compile(r"deb|ubuntu|[.~+-](?:el|fc|amzn|suse|azl|mga)\d|ds\d", re.I)


def judge(program: str, text: str) -> Finding:
    """`text` is what the program says of its version."""
    check = f"containerd.{program}_holes"
    match = _VERSION.search(text)
    if match is None:
        return passed(check, f"the version of {program} is not known: {text[:80]}")
    version = (int(match[1]), int(match[2]), int(match[3]))
    before = (version[0], version[1], version[2] - 1) if match[4] else version  # a candidate of a release is before it
    found = [each for each in KNOWN[program] if each.is_in(before)]
    names = ", ".join(each.name for each in found)
    if not found:
        return passed(check, f"none is known of {program} {match[0]}")
    if _DISTRIBUTION.search(text):
        known = f"{program} {match[0]} is a distribution's, which corrects holes itself"
        return passed(check, f"{known}; upstream's {'.'.join(map(str, version))} has {names}")
    whats = "; ".join(f"{each.name}: {each.what}" for each in found)
    fixed = max(_first_after(each, version) for each in found)
    return warned(check, f"{program} {match[0]} has {whats}", f"{program} {'.'.join(map(str, fixed))} or later")


def _first_after(hole: Hole, version: Version) -> Version:
    """The nearest version without it."""
    return next((each for each in hole.fixed if each > version), hole.fixed[-1])
