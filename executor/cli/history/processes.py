"""Processes that survive SIGKILL, as the kernel shows them: what they are, and what they wait for.

Source: proc(5). `wchan` is the kernel function in which a process sleeps; state D cannot be interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from executor.cli.printing import output

_PROC = Path("/proc")
_COMMAND_LETTERS = 60
_REMOTE = ("fuse", "nfs", "cifs", "smb", "ceph", "9p", "gluster", "lustre", "afs")
_MOUNTS = 4


@dataclass(frozen=True)
class Process:
    """`mount` is storage that it may wait for, with the type of file system; empty where that cannot be read."""

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


def advice(found: Sequence[Process]) -> str:
    """What to do about them: the storage that must answer, else what they wait in; empty for none."""
    if not found:
        return ""
    first = next((each for each in found if each.state == "D"), found[0])
    others = f" and {len(found) - 1} more" if len(found) > 1 else ""
    who = f"process {first.pid} ({first.command}){others}"
    if any(f" ({kind}" in first.mount for kind in _REMOTE):
        return f"Make this storage answer: {first.mount}. It holds {who}, in {first.wchan or 'the kernel'}."
    if first.state == "D":
        return f"See what holds {who} in {first.wchan or 'the kernel'}: storage, a driver."
    return f"Wait: {who} is in state {first.state}; if it stays, look at the node's CPU and dmesg."


def show(found: Sequence[Process]) -> None:
    """A table, with a line before it; nothing for none."""
    if not found:
        return
    output.line("")
    rows = [(each.pid, each.state, each.wchan, each.mount, each.command) for each in found]
    output.table(("pid", "state", "waits in", "mount", "command"), rows)


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
    """Storage that may not answer: the remote mounts that it can reach; else the mount of its working directory."""
    mounts = [(fields.split()[4], rest.split()[0]) for fields, rest in _mountinfo(directory)]
    remote = [(point, kind) for point, kind in mounts if kind.startswith(_REMOTE)]
    return ", ".join(f"{point} ({kind})" for point, kind in remote[:_MOUNTS] or _own(directory, mounts))


def _mountinfo(directory: Path) -> list[tuple[str, str]]:
    """The two halves of each line."""
    lines = [line.partition(" - ") for line in _text(directory / "mountinfo").splitlines()]
    return [(fields, rest) for fields, _, rest in lines if rest]


def _own(directory: Path, mounts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    try:
        place = f"{(directory / 'cwd').readlink()}/"
    except OSError:
        return []
    above = [each for each in mounts if place.startswith(each[0].rstrip("/") + "/")]
    return sorted(above, key=lambda each: len(each[0]))[-1:]
