"""A Mesos task's LinuxInfo, RLimitInfo and limits, as the settings of its container. Pure.

Sources: src/slave/containerizer/mesos/isolators (linux/capabilities, posix/rlimits, linux/seccomp) of 1.11; the same
limits as Mesos' master sets (src/master/validation.cpp).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from executor.errors import InvalidTask
from executor.mesos.resources import MIB, Resources
from executor.spec import capabilities, volume_files
from executor.spec.mesos.linux_documents import RLIMITS, LinuxInfo, RLimit, Scalar, TaskLimits
from executor.spec.mesos.taskinfo import TaskInfo
from executor.spec.model import Limits, RLimits
from executor.spec.reading.marks import shown
from executor.spec.security_model import Security

UNLIMITED = 2**64 - 1
"""RLIM_INFINITY."""
_PREFIX = "RLMT_"


def rlimits(info: TaskInfo, path: str) -> RLimits:
    """Raises InvalidTask."""
    found: dict[str, tuple[int, int]] = {}
    asked = info.container.rlimit_info.rlimits if info.container is not None else ()
    for index, one in enumerate(asked):
        place = f"{path}.container.rlimit_info.rlimits[{index}]"
        name = one.type.removeprefix(_PREFIX)
        if not one.type.startswith(_PREFIX) or name not in RLIMITS:
            hint = f"use {_PREFIX} with one of {', '.join(RLIMITS)}"
            raise InvalidTask(f"{shown(one.type)!r} is no limit", subject=f"{place}.type", hint=hint)
        if f"RLIMIT_{name}" in found:
            raise InvalidTask(f"{one.type} is there twice", subject=f"{place}.type", hint="each may be there once")
        found[f"RLIMIT_{name}"] = _soft_and_hard(one, place)
    return tuple((name, soft, hard) for name, (soft, hard) in found.items())


def _soft_and_hard(one: RLimit, path: str) -> tuple[int, int]:
    if (one.soft is None) != (one.hard is None):
        missing = "soft" if one.soft is None else "hard"
        raise InvalidTask("is missing: give both, or none for no limit", subject=f"{path}.{missing}")
    soft, hard = (UNLIMITED if each is None else each for each in (one.soft, one.hard))
    if soft > hard:
        raise InvalidTask(f"{soft} is more than hard, which is {hard}", subject=f"{path}.soft")
    return soft, hard


def security(info: TaskInfo, user: str, path: str) -> Security:
    """Raises InvalidTask."""
    linux = info.container.linux_info if info.container is not None else None
    if linux is None:
        return Security(user=user)
    place = f"{path}.container.linux_info"
    held = _held(linux, place)
    seccomp, file = _seccomp(linux, f"{place}.seccomp")
    drop = () if held is None else (capabilities.ALL,)
    return Security(user=user, add_capabilities=held or (), drop_capabilities=drop, seccomp=seccomp, seccomp_file=file)


def _held(linux: LinuxInfo, path: str) -> tuple[str, ...] | None:
    """The capabilities that the task keeps; None: the default ones."""
    effective, bounding = (
        None if asked is None else capabilities.named(asked.capabilities, f"{path}.{field}.capabilities")
        for asked, field in (
            (linux.effective_capabilities, "effective_capabilities"),
            (linux.bounding_capabilities, "bounding_capabilities"),
        )
    )
    if effective is None:
        return bounding
    if bounding is not None and (more := set(effective) - set(bounding)):
        message = f"{min(more)} is not among bounding_capabilities"
        raise InvalidTask(message, subject=f"{path}.effective_capabilities.capabilities")
    return effective


def _seccomp(linux: LinuxInfo, path: str) -> tuple[str, str]:
    asked = linux.seccomp
    if asked.unconfined and asked.profile_name:
        raise InvalidTask("names a profile, and unconfined is true", subject=f"{path}.profile_name")
    if asked.profile_name:
        return "Localhost", volume_files.profile(asked.profile_name, f"{path}.profile_name")
    return "Unconfined" if asked.unconfined else "", ""


def shm_bytes(info: TaskInfo) -> int | None:
    """The size of /dev/shm; None: the default."""
    linux = info.container.linux_info if info.container is not None else None
    return linux.shm_size * MIB if linux is not None and linux.shm_size else None


def share_pids(infos: Sequence[TaskInfo], paths: Sequence[str]) -> bool:
    """Raises InvalidTask for tasks of one pod that do not agree."""
    asked = {
        f"{path}.container.linux_info.share_pid_namespace": info.container is not None
        and info.container.linux_info is not None
        and info.container.linux_info.share_pid_namespace
        for info, path in zip(infos, paths, strict=True)
    }
    if len(set(asked.values())) > 1:
        subject = next(path for path, wanted in asked.items() if not wanted)
        raise InvalidTask("another task of the group shares its processes: all must, or none", subject=subject)
    return any(asked.values())


def shares_cgroups(info: TaskInfo) -> bool:
    """Whether a task of a group may use the mem of the others."""
    linux = info.container.linux_info if info.container is not None else None
    return linux is None or linux.share_cgroups


def limits(info: TaskInfo, own: Resources, path: str) -> Limits:
    """Raises InvalidTask."""
    asked: TaskLimits | None = info.limits
    if asked is None:
        return Limits()
    mem = _amount(asked.mem, f"{path}.limits.mem")
    if mem is not None and not math.isclose(mem * MIB, own.mem_bytes, abs_tol=MIB / 1000):
        hint = "give the task the mem that it may use at most"
        message = f"is {mem:g} MiB, and the task's mem {own.mem_bytes / MIB:g}: a pod is limited to its tasks' mem"
        raise InvalidTask(message, subject=f"{path}.limits.mem", hint=hint)
    cpus = _amount(asked.cpus, f"{path}.limits.cpus")
    if cpus is None or math.isinf(cpus):
        return Limits()
    if cpus < own.cpus or not cpus:
        raise InvalidTask(f"is {cpus:g}, less than the task's {own.cpus:g} cpus", subject=f"{path}.limits.cpus")
    return Limits(cpus=cpus)


def _amount(asked: Scalar | None, path: str) -> float | None:
    if asked is None:
        return None
    value = math.inf if isinstance(asked.value, str) else asked.value
    if math.isnan(value) or value < 0:
        raise InvalidTask("is not an amount from 0 up", subject=f"{path}.value")
    return value
