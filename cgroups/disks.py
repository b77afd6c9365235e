"""Which disk a path is on, by its number. Source: sysfs-dev, Documentation/admin-guide/sysfs-rules.rst."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from cgroups.errors import CgroupError

_NUMBERS = Path("/sys/dev/block")


def disk_of(path: str, numbers: Path = _NUMBERS) -> str:
    """MAJOR:MINOR of the whole disk that `path` is, or whose file system it is on. Raises CgroupError where there is
    none: a file system in memory, on the network, or on several disks.
    """
    try:
        found = Path(path).stat()
    except OSError as error:
        raise CgroupError(error.errno or 0, "there is no such disk or directory", path=path) from error
    device = found.st_rdev if stat.S_ISBLK(found.st_mode) else found.st_dev
    entry = numbers / f"{os.major(device)}:{os.minor(device)}"
    if not entry.exists():
        raise CgroupError(errno.ENODEV, "is on no single disk", path=path, hint="name the disk: /dev/sda")
    whole = entry.resolve().parent if (entry / "partition").exists() else entry
    return (whole / "dev").read_text().strip()
