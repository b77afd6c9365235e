"""The machine and the programs that a run was made with."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.bench.peers.programs import NotInstalled, environment, find

PROGRAMS = {
    "containerd": ("containerd", "--version"),
    "runc": ("runc", "--version"),
    "podman": ("podman", "--version"),
    "crun": ("crun", "--version"),
}
_VERSION = re.compile(r"\d+\.\d+[^\s,]*")


def describe() -> dict[str, Any]:
    """Kernel, processors, memory, and the versions of what is installed."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "kernel": platform.release(),
        "processors": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gib": round(pages / 2**30, 1),
        "cgroups": "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1 with an empty v2",
        "versions": {name: found for name, command in PROGRAMS.items() if (found := _version(command))},
    }


def _version(command: tuple[str, ...]) -> str:
    """Empty of a program that is not installed."""
    try:
        line = [find(command[0]), *command[1:]]
    except NotInstalled:
        return ""
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, check=False)
    found = _VERSION.search(done.stdout)
    return found[0] if found else ""


def _processor() -> str:
    if not shutil.which("lscpu"):
        return platform.machine()
    listed = subprocess.run(["lscpu"], env={"LC_ALL": "C"}, capture_output=True, text=True, check=False).stdout
    names = [line.partition(":")[2].strip() for line in listed.splitlines() if line.startswith("Model name")]
    return names[0] if names else platform.machine()
