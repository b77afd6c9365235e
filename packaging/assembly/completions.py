"""Completions for shells, which ask the program itself for what fits (click)."""

from __future__ import annotations

import re
from pathlib import Path

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from executor.cli.main import PROGRAM, root

VARIABLE = f"_{re.sub(r'[^A-Za-z0-9]', '_', PROGRAM)}_complete".upper()
FILES: dict[str, type[ShellComplete]] = {
    PROGRAM: BashComplete,
    f"_{PROGRAM}": ZshComplete,
    f"{PROGRAM}.fish": FishComplete,
}


def write(directory: Path) -> None:
    directory.mkdir(parents=True)
    for name, shell in FILES.items():
        # Not shell.source: for bash that runs the bash of this machine, which is not the one of the node.
        text = ShellComplete.source(shell(root, {}, PROGRAM, VARIABLE))
        (directory / name).write_text(text)
