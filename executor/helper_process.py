"""A helper process of the executor, which runs one of this program's modules: the libraries that read foreign content
run in it, not in the executor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[1]
_PROGRAM: Final = "import sys; sys.path[:0] = {paths!r}; from {module} import main; main()"
_NICE: Final = 5
"""Within the executor's cgroup: the executor's event loop goes first."""
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "MALLOC_ARENA_MAX": "1"}


async def start(module: str, line_max_bytes: int, inherited: Sequence[int] = ()) -> asyncio.subprocess.Process:
    """Run `main` of the module, with pipes for its input and output. `line_max_bytes` is the longest line that is read
    of it, `inherited` are the descriptors that it keeps. Raises OSError.
    """
    paths = [str(_ROOT), *(path for path in sys.path if path)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        _PROGRAM.format(paths=paths, module=module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,  # stderr is the executor's, for the traceback of a defect
        env=_ENVIRONMENT,
        limit=line_max_bytes,
        start_new_session=True,
        pass_fds=inherited,
    )
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
    return process
