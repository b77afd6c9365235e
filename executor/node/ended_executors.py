"""Where to read about executors that have ended: `<run_dir>/ended/<Mesos container id>.json`, one small file each.

A file is written at a clean end, and by the reaper of a dead executor. It names the Mesos sandbox, where the journal
is, so that `why` and `events` find it by themselves. Files go when the sandbox is gone, and beyond KEPT.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from executor import bounded_json
from executor.names import MesosContainerId

KEPT = 200
_SUFFIX = ".json"


@dataclass(frozen=True)
class MesosNames:
    """How Mesos calls an executor, and where its sandbox is; empty where that is not known."""

    executor_id: str = ""
    framework_id: str = ""
    sandbox: str = ""

    @staticmethod
    def of(document: dict[str, object]) -> MesosNames:
        """Out of an owner file, or a file of this module."""
        return MesosNames(*(str(document.get(key, "")) for key in ("executor_id", "framework_id", "sandbox")))

    def document(self) -> dict[str, str]:
        """For JSON."""
        return {"executor_id": self.executor_id, "framework_id": self.framework_id, "sandbox": self.sandbox}


@dataclass(frozen=True)
class Ended:
    """`at_s`: when it ended, or was found dead, in seconds since the epoch. `died`: it had no clean end."""

    container: MesosContainerId
    names: MesosNames
    at_s: float
    died: bool


def remember(run_dir: Path, container: MesosContainerId, names: MesosNames, *, died: bool) -> None:
    """For a convenience only: a disk that is full costs this file, and no clean end fails for it."""
    if not names.sandbox:
        return
    directory = run_dir / "ended"
    scratch = directory / f".{container}.{os.getpid()}"
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, exist_ok=True)
        scratch.write_text(json.dumps({**names.document(), "died": died}))
        scratch.rename(directory / f"{container}{_SUFFIX}")
    for each in ended(run_dir)[KEPT:]:
        with contextlib.suppress(OSError):
            (directory / f"{each.container}{_SUFFIX}").unlink()


def ended(run_dir: Path) -> list[Ended]:
    """The newest first. Those whose sandbox is gone are left out, and their files removed."""
    found = []
    for path in (run_dir / "ended").glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError, ValueError):
            document = bounded_json.loads(path.read_bytes())
            names = MesosNames.of(document) if isinstance(document, dict) else MesosNames()
            if names.sandbox and Path(names.sandbox).is_dir():
                died = bool(document.get("died"))
                found.append(Ended(MesosContainerId(path.stem), names, path.stat().st_mtime, died))
            else:
                path.unlink()
    return sorted(found, key=lambda each: each.at_s, reverse=True)
