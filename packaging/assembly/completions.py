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
        (directory / name).write_text(_completing_every_time(text) if shell is ZshComplete else text)


def _completing_every_time(text: str) -> str:
    """click's script for zsh completes the first time it is called, when it is loaded, and the second time only
    registers itself once more. It is always loaded from fpath here, so it calls its function whenever it is called.
    """
    function, found, rest = text.partition("\nif [[ $zsh_eval_context")
    called = re.search(r"^ +(\w+ \"\$@\")$", rest, re.M)
    if not (found and called):
        raise SystemExit("build: click's completion for zsh is another now; see whether it completes twice in a row")
    return f"{function}\n{called[1]}\n"
