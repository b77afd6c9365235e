"""Names of signals, as an image's STOPSIGNAL and Kubernetes' stopSignal have them. Pure.

The real-time signals are counted as libc counts them: the kernel's first two, 32 and 33, are its own (signal(7)).
"""

from __future__ import annotations

import re
import signal

RTMIN, RTMAX = 34, 64
_REAL_TIME = re.compile(r"RT(MIN|MAX)(?:([+-])(\d{1,2}))?")
_NAMES = {name.removeprefix("SIG"): int(each) for name, each in signal.Signals.__members__.items()}


def number(text: str) -> int:
    """The number of a name with or without SIG, as SIGUSR1, hup, SIGRTMIN+3 or RTMAX-1, or of a number. Raises
    ValueError.
    """
    name = text.strip().upper().removeprefix("SIG")
    if name.isascii() and name.isdecimal():
        found = int(name) if len(name) <= 3 else 0
    elif match := _REAL_TIME.fullmatch(name):
        end, sign, offset = match.groups()
        found = (RTMIN if end == "MIN" else RTMAX) + int(f"{sign or '+'}{offset or 0}")
        found = found if RTMIN <= found <= RTMAX else 0
    else:
        found = _NAMES.get(name, 0)
    if not 1 <= found <= RTMAX or found in (32, 33):
        raise ValueError(f"{text[:80]!r} is not a signal")
    return found


def name(number: int) -> str:
    """SIGUSR1, SIGRTMIN+3; of a number without a name SIG and the number."""
    if RTMIN < number < RTMAX:
        return f"SIGRTMIN+{number - RTMIN}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
