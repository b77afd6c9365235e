"""Platforms of images: which ones this node runs, the best one first. Pure.

Source: OCI image-spec, image-index.md ("platform"); the order of github.com/containerd/platforms; the x86-64 levels of
the System V ABI (x86-64 psABI, "Micro-Architecture Levels"), by the flags of /proc/cpuinfo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_ARCHITECTURES = {
    "x86_64": "amd64", "aarch64": "arm64", "armv8l": "arm", "armv7l": "arm", "armv6l": "arm", "i686": "386",
    "i386": "386", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64", "loongarch64": "loong64",
}  # fmt: skip
_LEVELS = (
    ("v2", "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"),
    ("v3", "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"),
    ("v4", "avx512f avx512bw avx512cd avx512dq avx512vl"),
)
_ARM = {"armv8l": 8, "armv7l": 7, "armv6l": 6}
_SAME = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386"}
"""Other words for the same, as some builders write them."""


@dataclass(frozen=True)
class Platform:
    """A platform of Linux, in Go's words. An empty variant is the plainest one."""

    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return f"linux/{self.architecture}{f'/{self.variant}' if self.variant else ''}"


def runnable(machine: str, cpuinfo: str) -> tuple[Platform, ...]:
    """What a node of this uname(2) machine runs, the best first; `cpuinfo` is the text of /proc/cpuinfo."""
    architecture = _ARCHITECTURES.get(machine, machine)
    if architecture == "amd64":
        variants = [*reversed(_levels(cpuinfo)), ""]
        return (*(Platform("amd64", variant) for variant in variants), Platform("386"))
    if architecture == "arm64":
        return (Platform("arm64"), *_arm(8))
    if architecture == "arm":
        return _arm(_ARM[machine])
    return (Platform(architecture),)


def _levels(cpuinfo: str) -> list[str]:
    match = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    flags = set(match[1].split()) if match else set()
    found: list[str] = []
    for level, needed in _LEVELS:
        if not flags.issuperset(needed.split()):
            break
        found.append(level)
    return found


def _arm(most: int) -> tuple[Platform, ...]:
    return (*(Platform("arm", f"v{number}") for number in range(most, 4, -1)), Platform("arm"))


def of_entry(entry: Mapping[str, object]) -> Platform | None:
    """The platform of an index's entry; None if it names none, or is not for Linux, as an attestation."""
    value = entry.get("platform")
    if not isinstance(value, Mapping) or str(value.get("os")).lower() != "linux":
        return None
    architecture = str(value.get("architecture", "")).lower()
    return _plain(_SAME.get(architecture, architecture), str(value.get("variant") or "").lower())


def _plain(architecture: str, variant: str) -> Platform:
    """One way to write each: amd64/v1 is amd64, arm64/v8 is arm64, arm/7 is arm/v7."""
    if variant.isdigit():
        variant = f"v{variant}"
    if (architecture, variant) in (("amd64", "v1"), ("arm64", "v8")):
        variant = ""
    return Platform(architecture, variant)


def rank(found: Platform, wanted: Iterable[Platform]) -> int | None:
    """Its place in `wanted`, 0 is the best; None if this node does not run it."""
    return next((place for place, each in enumerate(wanted) if each == found), None)
