"""The node's own files of names, from which a pod's resolv.conf and hosts are made.

They are text of any encoding: a byte that is not UTF-8 passes through as it is, from `read` to `write`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from executor.cni import resolver
from executor.errors import reason
from executor.log import get_logger
from executor.own_directory import OwnDirectory

log = get_logger(__name__)

RESOLV_CONF: Final = Path("/etc/resolv.conf")
BEHIND_STUB: Final = Path("/run/systemd/resolve/resolv.conf")
"""The servers that systemd-resolved asks (systemd-resolved.service(8), "/etc/resolv.conf")."""
HOSTS: Final = Path("/etc/hosts")
MOST_BYTES: Final = 4 << 20
"""The limit of one file; the lines beyond it are left out."""


def resolv_conf(*, on_host: bool, path: Path = RESOLV_CONF, behind: Path = BEHIND_STUB) -> str:
    """The node's resolv.conf. A pod with a network of its own (not `on_host`) cannot reach a stub on the node's
    loopback: for it these are the servers behind the stub, where systemd-resolved lists them.
    """
    text = read(path)
    if on_host or not resolver.has_loopback_only(text):
        return text
    known = read(behind)
    return known if resolver.parse_resolv_conf(known).nameservers else text


def hosts() -> str:
    """The content of the node's hosts file."""
    return read(HOSTS)


def read(path: Path) -> str:
    """Empty for a file that is not there, or cannot be read, which is logged: no pod waits for it."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        log.warning("a file of the node cannot be read", code="node.file_unreadable", path=str(path), error=error)
        return ""
    if len(data) > MOST_BYTES:
        data = data[: data.rfind(b"\n", 0, MOST_BYTES) + 1]
    return data.decode("utf-8", "surrogateescape")


def write(directory: OwnDirectory, name: str, text: str) -> None:
    """A file of a pod, in place: a container may have it mounted. A file with this content stays as it is, and one is
    made shorter only where it has to be, which takes a millisecond of the event loop on ext4. Raises OSError with the
    path.
    """
    data = text.encode("utf-8", "surrogateescape")
    try:
        with os.fdopen(directory.open_file(name, os.O_RDWR | os.O_CREAT), "r+b") as file:
            before = file.read(len(data) + 1)
            if before == data:
                return
            file.seek(0)
            file.write(data)
            if len(before) > len(data):
                file.truncate()
    except OSError as error:  # write(2) names no file
        raise OSError(error.errno, reason(error), f"{directory.path}/{name}") from error
