"""The agent's directory of programs, and which program its default executor is.

Source: docs/configuration/agent.md of Mesos 1.11.0 (--launcher_dir), src/slave/slave.cpp (defaultExecutorCommandInfo).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from executor.doctor.finding import Finding, failed, passed, skipped
from executor.errors import reason

DEFAULT_EXECUTOR: Final = "mesos-default-executor"
_CHECK: Final = "agent.launcher_dir"
_PROGRAM: Final = "mesos-pod-executor"


@dataclass(frozen=True)
class Links:
    """`default_executor` is where its link leads; empty: there is none. `broken` are links to what is not there."""

    default_executor: str
    broken: tuple[str, ...] = ()


def check(flags: Mapping[str, str]) -> Finding:
    """Looks at the directory of this node."""
    directory = flags.get("launcher_dir", "")
    if not directory:
        return skipped(_CHECK, "the agent does not say where its programs are")
    try:
        return judge(directory, links(Path(directory)))
    except OSError as error:
        return failed(_CHECK, f"{directory}: {reason(error)}", "the agent must find its programs there")


def links(directory: Path) -> Links:
    """Raises OSError."""
    broken = sorted(each.name for each in directory.iterdir() if each.is_symlink() and not each.exists())
    link = directory / DEFAULT_EXECUTOR
    return Links(os.path.realpath(link) if link.exists() else "", tuple(broken))


def judge(directory: str, found: Links) -> Finding:
    """Pure."""
    again = f"run {_PROGRAM} launcher-dir --from DIR {directory} again"
    if found.broken:
        return failed(_CHECK, f"links lead nowhere in {directory}: {', '.join(found.broken)}", again)
    if not Path(found.default_executor).name.startswith(_PROGRAM):
        return passed(_CHECK, f"{directory}: ExecutorInfos of type DEFAULT get Mesos' own executor")
    text = "ExecutorInfos of type DEFAULT get this executor, of frameworks whose user is root"
    return passed(_CHECK, f"{directory}: {text}")
