"""The real `gc`, killed by SIGKILL at seams (seams.py), run after run: `python -m tests.crash.dying_reaper WORD...`.

MPE_CRASH_AT is a list of `SEAM MOMENT` in JSON, the WORDs are options of gc. Each run dies at the first of them that it
meets and that no run before it died at, until they are used up, or a run meets none. Each is in a process that is
forked, so that the imports are paid once. The last line of the output has those at which runs died, in JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Collection
from pathlib import Path

from executor.cli.main import main
from executor.cli.node import gc
from tests.crash.dying_executor import AT, DIED, Seams, arm_step
from tests.crash.seams import reaper_steps

__all__ = ["gc", "run"]


class FirstOf(Seams):
    """Dies at the first of several moments."""

    def __init__(self, wanted: Collection[str]) -> None:
        super().__init__("")
        self._wanted = wanted

    def at(self, seam: str, moment: str, *, meant: bool) -> None:
        """Dies at a moment that is wanted."""
        if (here := f"{seam} {moment}") in self._wanted:
            Path(DIED).write_text(here)
            os.kill(os.getpid(), signal.SIGKILL)


def is_killed(wanted: Collection[str]) -> bool:
    """Whether a gc in a process of its own died at one of them."""
    if not (pid := os.fork()):
        seams = FirstOf(wanted)
        for step in reaper_steps():
            arm_step(step, seams)
        os._exit(main(["gc", *sys.argv[1:]]))
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def run() -> int:
    """All runs."""
    wanted, died = dict.fromkeys(json.loads(os.environ[AT])), []
    while wanted and is_killed(wanted):
        died.append(Path(DIED).read_text())
        del wanted[died[-1]]
    print(f"\n{json.dumps(died)}")
    return 0


if __name__ == "__main__":
    sys.exit(run())
