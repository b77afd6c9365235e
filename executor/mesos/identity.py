"""Whether this process is the executor that its environment names, and which variables it keeps.

The variables of an ExecutorInfo replace the agent's own, MESOS_DIRECTORY among them, whose last name is the id under
which an executor owns containers, addresses and cgroups on the node. So it is held against what no variable changes:
the directory and the cgroups that the agent started this process in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Final

from executor.errors import InvalidConfig

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT: Final = re.compile(r"MESOS_.*|LANG|LC_[A-Z]+")
_CONTAINER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_HINT: Final = "remove the variables MESOS_* from the environment in the ExecutorInfo: the agent sets them"


def check(environ: Mapping[str, str]) -> None:
    """Raises InvalidConfig if MESOS_DIRECTORY or MESOS_SANDBOX is not this process's; that the first one is missing is
    for `Environment` to tell.
    """
    directory = environ.get("MESOS_DIRECTORY", "")
    if not directory:
        return
    sandbox = environ.get("MESOS_SANDBOX") or directory
    where = os.getcwd()  # noqa: PTH109 # as the kernel has it, without links
    groups = Path("/proc/self/cgroup").read_text(errors="replace").splitlines()
    check_container(Path(directory).name, [where, *groups])
    if not any(_is_same(Path(sandbox), other) for other in (Path(directory), Path(where), *Path(where).parents[:-1])):
        problem = f"{sandbox!r} is neither MESOS_DIRECTORY nor above the directory that this program was started in"
        raise InvalidConfig(problem, subject="MESOS_SANDBOX", hint=_HINT)


def check_container(container: str, places: Iterable[str]) -> None:
    """`places` are paths of this process, from the kernel. Pure. Raises InvalidConfig."""
    if _CONTAINER_ID.fullmatch(container) is None:
        raise InvalidConfig(f"{container[:80]!r} is not an id of a container", subject="MESOS_DIRECTORY", hint=_HINT)
    if not any(container in place.split("/") for place in places):
        problem = f"this process was started neither in the sandbox nor in a cgroup of the container {container}"
        raise InvalidConfig(problem, subject="MESOS_DIRECTORY", hint=_HINT)


def clean(environ: MutableMapping[str, str]) -> None:
    """Leaves what this program reads: neither a library (gRPC, proxies) nor a child is steered by a framework's
    variables, and programs of the node are looked for in the system's directories only.
    """
    for name in [name for name in environ if _KEPT.fullmatch(name) is None]:
        del environ[name]
    environ["PATH"] = PATH


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.is_absolute() and one.samefile(other)
    except OSError:
        return False
