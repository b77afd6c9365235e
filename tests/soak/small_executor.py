"""The real executor with little room for its past, in its place: `python -m tests.soak.small_executor`.

It remembers REMEMBERED ended pods and as many events, so that soon every further pod pushes an older one out. At
SIGUSR2 it writes the bytes that Python holds after a collection into the file `held` in its Mesos sandbox.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tracemalloc
from pathlib import Path

from executor.__main__ import main
from executor.log.journal import Journal
from executor.pod import table

REMEMBERED = 5
HELD = "held"


def write_held(*_: object) -> None:
    """The file is there at once and whole."""
    gc.collect()
    part = Path(f"{HELD}.part")
    part.write_text(str(tracemalloc.get_traced_memory()[0]))
    part.rename(HELD)


def run() -> int:
    """The executor with this measurement, or a command of the operator."""
    if "MESOS_EXECUTOR_ID" in os.environ:
        tracemalloc.start()
        table.REMEMBERED = REMEMBERED
        if (defaults := Journal.__init__.__kwdefaults__) is not None:
            defaults["kept"] = REMEMBERED
        signal.signal(signal.SIGUSR2, write_held)
    return main()


if __name__ == "__main__":
    sys.exit(run())
