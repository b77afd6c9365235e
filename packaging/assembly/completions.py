"""Completions for shells, as files that packages install."""

from __future__ import annotations

import re
from pathlib import Path

from executor.cli import shells
from executor.cli.main import root
from executor.cli.shells import PROGRAM

FILES = {PROGRAM: "bash", f"_{PROGRAM}": "zsh", f"{PROGRAM}.fish": "fish"}


def write(directory: Path) -> None:
    directory.mkdir(parents=True)
    for name, shell in FILES.items():
        text = shells.script(root, shell)
        (directory / name).write_text(_completing_every_time(text) if shell == "zsh" else text)


def _completing_every_time(text: str) -> str:
    """click's script for zsh completes the first time it is called, when it is loaded, and the second time only
    registers itself once more. It is always loaded from fpath here, so it calls its function whenever it is called.
    """
    function, found, rest = text.partition("\nif [[ $zsh_eval_context")
    called = re.search(r"^ +(\w+ \"\$@\")$", rest, re.M)
    if not (found and called):
        raise SystemExit("build: click's completion for zsh is another now; see whether it completes twice in a row")
    return f"{function}\n{called[1]}\n"
