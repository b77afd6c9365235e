"""Processes that survive SIGKILL, as the kernel shows them: what they are, and what they wait for.

Source: proc(5). `wchan` is the kernel function in which a process sleeps; state D cannot be interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_COMMAND_LETTERS = 60


@dataclass(frozen=True)
class Process:
    """`mount` is where its working directory lies, with the file system's type; empty where that cannot be read."""

    pid: int
    command: str
    state: str
    wchan: str
    mount: str

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "pid": self.pid,
            "command": self.command,
            "state": self.state,
            "wchan": self.wchan,
            "mount": self.mount,
        }


def of(pids: Iterable[int], proc: Path = _PROC) -> list[Process]:
    """Those that are still there."""
    return [found for pid in pids if (found := _process(proc / str(pid))) is not None]


def _process(directory: Path) -> Process | None:
    try:
        stat = (directory / "stat").read_text()
    except OSError:
        return None
    name, _, rest = stat.partition("(")[2].rpartition(")")
    command = _text(directory / "cmdline").replace("\0", " ").strip() or f"[{name}]"
    return Process(
        int(directory.name), command[:_COMMAND_LETTERS], rest.split()[0], _text(directory / "wchan"), _mount(directory)
    )


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace").strip()
    except OSError:
        return ""


def _mount(directory: Path) -> str:
    """The mount with the longest path above the working directory."""
    try:
        place = f"{(directory / 'cwd').readlink()}/"
    except OSError:
        return ""
    best = ("", "")
    for line in _text(directory / "mountinfo").splitlines():
        fields, _, rest = line.partition(" - ")
        point = fields.split()[4]
        if place.startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
            best = (point, rest.split()[0])
    return f"{best[0]} ({best[1]})" if best[0] else ""
