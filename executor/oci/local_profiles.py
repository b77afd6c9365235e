"""Profiles of the node's operator that a pod names: seccomp's are files of a directory, AppArmor's are in the kernel.

A seccomp profile is `linux.seccomp` of the OCI runtime-spec as JSON, as containerd's CRI and kubelet have it. Links in
the directory never lead out of it. Blocking.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any, Final

from executor import beneath, bounded_json
from executor.errors import Failure, reason
from executor.own_directory import Opened
from executor.spec.security_model import Security

LOADED: Final = Path("/sys/kernel/security/apparmor/profiles")
_ENABLED: Final = Path("/sys/module/apparmor/parameters/enabled")


def seccomp(directory: str, name: str) -> dict[str, Any]:
    """Raises Failure."""
    subject = f"seccomp profile {name}"
    hint = f"the operator puts it below {directory} ([pods] seccomp_dir)"
    try:
        text = _read(directory, name)
    except OSError as error:
        raise Failure(f"cannot be read: {reason(error)}", subject=subject, hint=hint) from error
    try:
        found = bounded_json.loads(text)
    except ValueError as error:
        raise Failure(f"is not JSON: {error}", subject=subject, hint=hint) from error
    if not isinstance(found, dict) or not isinstance(found.get("defaultAction"), str):
        raise Failure("has no defaultAction", subject=subject, hint="write it as linux.seccomp of the OCI runtime-spec")
    return found


def has_app_armor(enabled: Path = _ENABLED) -> bool:
    """Whether the kernel confines programs by AppArmor profiles."""
    try:
        return enabled.read_text().startswith("Y")
    except OSError:
        return False


def app_armor(security: Security, default: str, loaded: Path = LOADED, enabled: Path = _ENABLED) -> str:
    """The profile of a container, which the kernel has; `default` is that of containers that name none, and has no
    effect on a node without AppArmor. Raises Failure for one that the kernel does not have.
    """
    name = security.app_armor_profile
    if not name and not (security.privileged or security.app_armor == "Unconfined") and has_app_armor(enabled):
        name = default
    if name:
        check_app_armor(name, loaded)
    return name


def check_app_armor(name: str, loaded: Path = LOADED) -> None:
    """That the kernel has a profile of this name. Raises Failure."""
    subject = f"AppArmor profile {name}"
    try:
        lines = loaded.read_text(errors="replace").splitlines()
    except OSError as error:
        raise Failure("this node has no AppArmor", subject=subject, hint="run the pod on a node that has it") from error
    if name not in {line.rpartition(" (")[0] for line in lines}:
        raise Failure("is not loaded on this node", subject=subject, hint="the operator loads it (apparmor_parser)")


def _read(directory: str, name: str) -> bytes:
    """Raises OSError, also for what is not a regular file; one byte more than a document may have is enough."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    with Opened(os.open(directory, flags)) as root, Opened(beneath.open_below(root, name)) as found:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        with Path(f"/proc/self/fd/{found}").open("rb") as file:
            return file.read(bounded_json.DOCUMENT.size_bytes + 1)
