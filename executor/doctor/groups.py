"""The cgroup hierarchies, tried by making a scratch group where the executors make theirs, and removing it.

Source: Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst ("Delegation", "cgroup.kill").
"""

from __future__ import annotations

import os
from pathlib import Path

from cgroups import Cgroup, CgroupError, Hierarchies, Mode
from cgroups.mounts import V1_NAMES
from executor.doctor.finding import Finding, failed, passed, warned
from executor.node.claims import DEFAULT_ROOT

_CORE_FILES = {
    "cgroup.kill": ("kernel.cgroup_kill", "killing a group takes one write", "Linux 5.14 or later"),
    "cgroup.freeze": ("kernel.freezer", "a group can be frozen", "Linux 5.2 or later"),
}
_CONTROLLERS = {
    "cpu": (failed, "regular and revocable pods cannot be given weights"),
    "memory": (failed, "no pod can be given a memory limit, nor a class one of its own"),
    "pids": (warned, "processes of a pod cannot be bounded"),
    "io": (warned, "revocable pods use disks as much as regular ones"),
    "cpuset": (warned, "no class can be given CPUs of its own"),
    "freezer": (warned, "Mesos kills a container by the freezer; a lost process may outlive its pod"),
}


def check(configured_root: str) -> list[Finding]:
    """`configured_root` is [cgroups] root."""
    try:
        hierarchies = Hierarchies.discover()
    except CgroupError as error:
        return [failed("cgroups.mode", str(error), error.hint)]
    return [_mode(hierarchies), *_delegation(hierarchies, configured_root or DEFAULT_ROOT)]


def _mode(hierarchies: Hierarchies) -> Finding:
    if hierarchies.mode is Mode.V1:
        return warned(
            "cgroups.mode",
            "v1 alone: a revocation must look for processes one by one instead of killing a group with one write, and "
            "there is no pressure of a class",
            "mount -t cgroup2 none /sys/fs/cgroup/unified",
        )
    return passed("cgroups.mode", f"{hierarchies.mode}, cgroup2 at {hierarchies.unified}")


def _delegation(hierarchies: Hierarchies, root: str) -> list[Finding]:
    group = Cgroup(hierarchies, f"{root}/doctor-{os.getpid()}")
    try:
        group.ensure()
        found = _features(hierarchies, group.path) + _controllers(hierarchies, group.path)
        return [passed("cgroups.delegation", f"groups can be made below {root} in every hierarchy"), *found]
    except CgroupError as error:
        hint = error.hint or "run as root; see [cgroups] root"
        return [failed("cgroups.delegation", f"no group can be made below {root}: {error}", hint)]
    finally:
        _remove(hierarchies, group, root)


def _remove(hierarchies: Hierarchies, group: Cgroup, root: str) -> None:
    try:
        group.destroy()
        Cgroup(hierarchies, root).prune()
    except CgroupError:
        return  # what could not be made, or is in use by executors


def _features(hierarchies: Hierarchies, path: str) -> list[Finding]:
    if hierarchies.unified is None:
        return []
    home = hierarchies.unified / path.lstrip("/")
    return [
        passed(check, message) if (home / file).exists() else warned(check, f"no {file} here: slower, and by pid", hint)
        for file, (check, message, hint) in _CORE_FILES.items()
    ]


def _controllers(hierarchies: Hierarchies, path: str) -> list[Finding]:
    found = []
    for name, (verdict, harm) in _CONTROLLERS.items():
        if _has(hierarchies, path, name):
            found.append(passed(f"cgroups.{name}", f"the {name} controller is there"))
        else:
            mount = f"mount -t cgroup -o {V1_NAMES.get(name, name)}"
            hint = f"mount it (v1: {mount}), or have {name} in cgroup.subtree_control above (v2)"
            found.append(verdict(f"cgroups.{name}", f"no {name} controller: {harm}", hint))
    return found


def _has(hierarchies: Hierarchies, path: str, name: str) -> bool:
    if V1_NAMES.get(name, name) in hierarchies.v1:
        return True
    if hierarchies.unified is None:
        return False
    home = hierarchies.unified / path.lstrip("/")
    return (name == "freezer" and hierarchies.mode is Mode.V2) or name in _words(home / "cgroup.controllers")


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
