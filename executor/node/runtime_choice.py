"""Which program containerd's shim runs containers with where [containerd] runtime is auto.

crun, where it is installed, cgroup v2 is alone and its version has no known hole that a pod reaches; else runc. On
Debian 13 with cgroup v2 a launch took half as long with crun as with runc (packaging/doc/hosts.md). With the v1
controllers of hybrid nodes crun does not work (1.8 of Debian 12), and runc is what all suites run with. Known holes of
crun: CVE-2025-24965 (before 1.20; containers of libkrun only), CVE-2026-30892 (1.19 to 1.26; `crun exec --user`, which
containerd never gives), CVE-2026-88264 and CVE-2026-88265 (containers without a /dev of their own; pods have one). It
opens the node's console to every container, which the executor prevents (executor/pod/container/closed_devices.py):
where the kernel does not let it, the choice is runc.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cgroups import Hierarchies, Mode, devices

AUTO = "auto"
RUNC, CRUN = "runc", "crun"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""containerd's, where it is started as a unit."""
CRUN_LEAST = (1, 20)
_ASKED_S = 10.0


@dataclass(frozen=True)
class Choice:
    """`program` is a name on containerd's path, or a path."""

    program: str
    why: str


def choose(mode: Mode, crun: str | None, version: str, refusal: str = "") -> Choice:
    """`crun` is its path, `version` what it says of itself, `refusal` why the node's console cannot be closed to its
    containers; empty: it can. Pure.
    """
    if mode is not Mode.V2:
        return Choice(RUNC, f"cgroups are {mode}")
    if crun is None:
        return Choice(RUNC, "crun, with which a launch takes half as long, is not installed")
    match = re.search(r"crun version (\d+)\.(\d+)", version)
    if match is None:
        return Choice(RUNC, f"{crun} does not tell its version")
    least = ".".join(map(str, CRUN_LEAST))
    if (int(match[1]), int(match[2])) < CRUN_LEAST:
        return Choice(RUNC, f"{crun} is {match[1]}.{match[2]}, older than {least}")
    if refusal:
        return Choice(RUNC, f"the node's console cannot be closed to containers of {crun}: {refusal}")
    return Choice(crun, f"cgroup v2 is alone, and crun {match[1]}.{match[2]} is {least} or later")


def chosen(setting: str, hierarchies: Hierarchies) -> Choice:
    """`setting` is [containerd] runtime. Blocks for as long as a program takes to tell its version."""
    if setting != AUTO:
        return Choice(setting, "configured")
    crun = shutil.which(CRUN, path=PATH) if hierarchies.mode is Mode.V2 else None
    if crun is None:
        return choose(hierarchies.mode, None, "")
    return choose(hierarchies.mode, crun, _version(crun), devices.refusal(hierarchies, (devices.CONSOLE,)))


def allows_the_console(program: str) -> bool:
    """Whether it may let a container open the node's console against its OCI document. Pure."""
    return Path(program).name != RUNC


def _version(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASKED_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
