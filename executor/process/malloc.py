"""How the C library keeps the memory of this process: little that is free.

Source: mallopt(3); glibc's manual, "Tunable Parameters".
"""

from __future__ import annotations

import ctypes
from typing import Final

ARENAS: Final = 1
"""glibc gives each thread an arena of its own, up to eight for each CPU, and each keeps what its thread has freed. Few
threads run at a time here, for they share Python's interpreter lock.
"""
MAPPED_BYTES: Final = 64 << 10
"""A block of this size is a mapping of its own, and is given back to the kernel when it is freed. glibc raises its
limit to the largest block that was freed; such blocks (buffers, for the most part) leave holes in the heap then.
"""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def keep_little() -> None:
    """Before the first thread starts: an arena that exists stays. No effect with another C library than glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)
        mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, MAPPED_BYTES)
