"""Completion scripts for shells, which ask the program itself for what fits (click)."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

PROGRAM: Final = "mesos-pod-executor"
VARIABLE: Final = f"_{re.sub(r'[^A-Za-z0-9]', '_', PROGRAM)}_complete".upper()
SHELLS: Final = MappingProxyType({"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete})


def script(root: click.Command, shell: str) -> str:
    """To be read by the shell: `source` or `eval`.

    Not by shell.source: for bash that runs the bash of this machine, which is not the one of the node.
    """
    return ShellComplete.source(SHELLS[shell](root, {}, PROGRAM, VARIABLE))
