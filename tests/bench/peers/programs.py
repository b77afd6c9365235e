"""Where a peer's program is, and how it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BUILD = Path(__file__).resolve().parents[3] / ".build/bench"
PEERS = BUILD / "peers"
"""What packaging/preparation/bench.py unpacks."""
PACKAGES = BUILD / "packages"
AT_ONCE = 4


class NotInstalled(Exception):
    """The peer is absent, or does not work here; the text is one line."""


class CommandFailed(RuntimeError):
    """`output` is the end of what the command printed on standard error."""

    def __init__(self, command: Sequence[str], code: int, output: str) -> None:
        self.output = output.strip()
        super().__init__(f"{' '.join(command)} exited with {code}: {self.output}")


def find(name: str) -> str:
    """The path of a program: on PATH, or below PEERS. Raises NotInstalled."""
    unpacked = PEERS / "usr/bin" / name
    found = shutil.which(name) or (str(unpacked) if unpacked.exists() else None)
    if found is None:
        raise NotInstalled(f"{name} is not installed: packaging/prepare --with bench")
    return found


def environment() -> dict[str, str]:
    """For programs below PEERS, which find their libraries and each other there."""
    libraries = ":".join(str(path) for path in (PEERS / "usr/lib").glob("*-linux-gnu"))
    path = f"{os.environ.get('PATH', '/usr/bin')}:/usr/sbin:/sbin:{PEERS}/usr/bin"
    return {**os.environ, "PATH": path, **({"LD_LIBRARY_PATH": libraries} if libraries else {})}


def many(commands: Sequence[Sequence[str]], env: Mapping[str, str] | None = None) -> None:
    """All of them, AT_ONCE at a time. Raises CommandFailed."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda command: run(command, env), commands))


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Its standard output. Raises CommandFailed."""
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed(command, done.returncode, done.stderr[-1000:])
    return done.stdout
