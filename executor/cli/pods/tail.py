"""The last lines that a container wrote, for a report: of stderr, or of stdout where that is empty. Bounded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from executor.output import cri, times
from executor.own_directory import Opened, OwnDirectory

LINES: Final = 5
_BYTES: Final = 4096


@dataclass(frozen=True)
class Tail:
    container: str
    stream: str
    lines: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {"container": self.container, "stream": self.stream, "lines": list(self.lines)}


def tail(container: Mapping[str, Any]) -> Tail | None:
    """None if it wrote nothing, or its files cannot be read."""
    for stream in ("stderr", "stdout"):
        path = (container.get("log") or {}).get(stream)
        if path and (lines := _lines(Path(path))):
            return Tail(str(container["name"]), stream, lines)
    return None


def _lines(path: Path) -> tuple[str, ...]:
    try:
        with Opened(OwnDirectory.at(str(path.parent)).open_file(path.name, os.O_RDONLY)) as file:
            size_bytes = os.fstat(file).st_size
            data = os.pread(file, _BYTES, max(0, size_bytes - _BYTES))
    except OSError:
        return ()
    if times.is_cri(times.read(OwnDirectory.at(str(path.parent)), path.name)):
        data = cri.decode(data)
    lines = data.decode(errors="replace").splitlines()
    return tuple((lines[1:] if size_bytes > _BYTES else lines)[-LINES:])
