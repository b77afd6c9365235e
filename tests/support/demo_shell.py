"""`packaging/demo --shell`: a prompt on the private node, with `mesos-pod-executor` on its PATH and pods to look at."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.rig import Rig

HINT = "`mesos-pod-executor --help` tells what there is to look at; `exit` ends the node with all that is in it"


def run(rig: Rig) -> int:
    """Until its user leaves it; its exit status. Commands that are piped in are carried out one after the other."""
    path = _program(rig.directory / "bin", rig.program)
    environment = os.environ | rig.environment()
    environment |= {
        "MESOS_AGENT_ENDPOINT": rig.agent.endpoint,
        "PATH": f"{path.parent}:{environment['PATH']}",
        "PS1": r"demo:\w\$ ",
    }
    line = ["bash", "--norc", *(["-i"] if sys.stdin.isatty() else [])]
    return subprocess.run(line, env=environment, check=False).returncode


def _program(directory: Path, program: Sequence[str]) -> Path:
    """As an installed package has it, for a program that is several words here."""
    directory.mkdir()
    path = directory / "mesos-pod-executor"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n')
    path.chmod(0o755)
    return path
