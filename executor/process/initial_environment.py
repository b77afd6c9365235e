"""The environment that the kernel keeps of this process's start: what /proc/PID/environ shows as long as it lives.

unsetenv(3) takes a variable from the process and from its children, but not from there.
Source: proc(5), /proc/pid/stat (env_start, env_end) and /proc/pid/environ; execve(2).
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

_ENV_START, _ENV_END = 47, 48
"""Fields of /proc/self/stat after the command's name: the 50th and 51st of all."""
_STAT: Final = Path("/proc/self/stat")


def erase(name: str) -> None:
    """Overwrite the value of a variable with zero bytes; a variable that is not there is success. Raises OSError."""
    fields = _STAT.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    if not 0 < start < end:
        return
    at = start
    prefix = os.fsencode(name) + b"="
    for variable in ctypes.string_at(start, end - start).split(b"\0"):
        if variable.startswith(prefix):
            ctypes.memset(at + len(prefix), 0, len(variable) - len(prefix))
        at += len(variable) + 1
