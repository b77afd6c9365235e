"""What one input may cost its reader: time on the CPU, and memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

CPU_S = 1.0
"""For an input of 1 MiB at most, without instrumentation."""
INSTRUMENTED = 4.0
"""How much longer a reader takes while atheris counts its branches."""
MEMORY_BYTES = 200 << 20


class TooCostly(AssertionError):
    """The reader took more than its limit."""


def within(read: Callable[[bytes], None], data: bytes, *, cpu_s: float = CPU_S) -> None:
    """Raises TooCostly after a read that took longer, or that the peak of this process's memory rose by."""
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun_s = time.process_time()
    read(data)
    took_s = time.process_time() - begun_s
    rose = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kib) << 10
    if took_s > cpu_s:
        raise TooCostly(f"{len(data)} bytes took {took_s:.2f} s of CPU, more than {cpu_s:g} s")
    if rose > MEMORY_BYTES:
        raise TooCostly(f"{len(data)} bytes took {rose >> 20} MiB of memory, more than {MEMORY_BYTES >> 20} MiB")
