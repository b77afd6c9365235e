"""The signal that asks a container to stop. Pure."""

from __future__ import annotations

import contextlib
import signal


def stop_signal(name: str | None) -> signal.Signals:
    """An image's STOPSIGNAL is a number or a name with or without SIG."""
    if name:
        with contextlib.suppress(ValueError, KeyError):
            return (
                signal.Signals(int(name))
                if name.isdigit()
                else signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"]
            )
    return signal.SIGTERM
