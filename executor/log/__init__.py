"""The log, the journal of events, and the closed lists of their codes and keys.

logger.py    structlog set up; `get_logger` gives every part its logger
targets.py   the executor's log file, journald, syslog
codes.py     the stable code of every event
keys.py      every key that a line of the log may have
journal.py   the events of this executor, in memory and in a file of the Mesos sandbox
journal_files.py  the same file, read again by commands
timeline.py  what happened to one task, out of the journal
"""

from executor.log.logger import (
    LEVELS,
    Logger,
    UnknownKeyError,
    add_sink,
    configure,
    get_logger,
    level,
    set_level,
    timestamp,
)

__all__ = [
    "LEVELS", "Logger", "UnknownKeyError", "add_sink", "configure", "get_logger", "level", "set_level", "timestamp",
]  # fmt: skip
